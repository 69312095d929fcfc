// Whether a VM of an export is whole: what a snapshot of it is made of, or every reason
// why there is none.
#pragma once

#include <string>

#include "backup/earlier_disks.h"
#include "backup/exported_keys.h"
#include "backup/hyperv_backup.h"
#include "vm/hyperv_export.h"

namespace sealift::backup {

/// What one export is made of; outlives the taking of its snapshots.
struct ExportScene {
  std::filesystem::path folder;
  vm::HypervExport found;
  std::vector<ExportedKey> keys;
  std::string cluster;
  std::string host;
  std::string host_build;  ///< Of the cluster's host; may be empty.
  std::string exported;    ///< When, RFC 3339; may be empty.
};

/// Of a file of the export: where it lies below its folder, with '/'.
std::string path_below(const ExportScene& scene, const std::filesystem::path& file);

struct WholeExport {
  ChosenKeys keys;
  EarlierDisks earlier;  ///< Without those that are in the export, each in its place.
};

/// errors  kRefused: it is not whole; every reason is a next step.  As
///         find_earlier_disks().
base::Result<WholeExport> check_export(const BackupEnvironment& environment,
                                       const ExportScene& scene,
                                       const vm::HypervVm& vm);

}  // namespace sealift::backup
