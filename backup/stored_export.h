// What an inbox is told of an export that is stored: sealift-stored.json beside it,
// with an entry for each repository. docs/azure-local.md.
#pragma once

#include <filesystem>
#include <vector>

#include "archive/ids.h"
#include "backup/hyperv_backup.h"
#include "base/timestamp.h"

namespace sealift::backup {

/// Whether this repository holds just the export that lies there.
bool is_stored(const std::filesystem::path& folder,
               const archive::RepositoryId& repository);

/// Writes sealift-stored.json beside, or this repository's entry of it: after this the
/// export may be removed, as far as this repository is concerned. The entries of others
/// stay. An export that changed since has none.
/// errors  kIo.  kBusy: others write there, and the entry was lost each time.
base::Status note_stored_export(const ExportOutcome& outcome,
                                const std::vector<VmOutcome>& vms,
                                const archive::RepositoryId& repository,
                                base::Timestamp now);

}  // namespace sealift::backup
