// What an inbox is told of an export that is stored: sealift-stored.json beside it.
// docs/azure-local.md.
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

/// Writes sealift-stored.json beside: after this the export may be removed.
/// errors  kIo.
base::Status note_stored_export(const ExportOutcome& outcome,
                                const std::vector<VmOutcome>& vms,
                                const archive::RepositoryId& repository,
                                base::Timestamp now);

}  // namespace sealift::backup
