// A snapshot that the repository holds, opened with the host's own keys.
#pragma once

#include <memory>

#include "archive/snapshot_reader.h"
#include "backup/backup.h"

namespace sealift::backup {

/// Manifest and trees; no content, for want of a recovery key. `environment` outlives
/// the reader.
/// errors  kCorrupt, kNotFound: its last volume is not there, or not believed.
base::Result<std::unique_ptr<archive::SnapshotReader>> open_stored(
    const BackupEnvironment& environment, const catalog::Snapshot& snapshot);

}  // namespace sealift::backup
