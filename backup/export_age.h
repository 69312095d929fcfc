// When an export was made, and whether the repository holds a newer state of its VM.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "archive/manifest.h"
#include "backup/hyperv_checks.h"

namespace sealift::backup {

/// When a VM was exported, as far as anything tells.
struct ExportTime {
  base::Timestamp at;
  bool is_said = false;  ///< By sealift-export.json; else its newest file is of then.
};

ExportTime time_of_export(const ExportScene& scene, const vm::HypervVm& vm);

/// Says it in the manifest: "exported", or "newest_file".
void note_time(const ExportTime& time, archive::Manifest& manifest);

/// A stored snapshot of the same VM that is of a later export.
struct NewerState {
  archive::ArchiveId snapshot;
  ExportTime time;
  /// Else it may be so: what copied its files may have given them a time of their own.
  bool is_certain = true;
};

/// Compared with the newest snapshot of the VM that says its export's time, of whatever
/// host; of what `VM@latest` may mean, which are the complete ones.
/// warnings  Gets those that cannot be read and so are not compared with.
/// errors    As catalog::Catalog::list().
base::Result<std::optional<NewerState>> find_newer_state(
    const BackupEnvironment& environment, const vm::HypervVm& vm,
    const ExportTime& time, std::vector<std::string>& warnings);

/// "the export is of TIME, and snapshot ID of the VM is of a later one, of TIME".
std::string words_of(const ExportTime& time, const NewerState& newer);

}  // namespace sealift::backup
