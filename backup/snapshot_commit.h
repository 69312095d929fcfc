// The end of every backup: the snapshot's record goes on the chain of this host.
#pragma once

#include <vector>

#include "archive/archive_writer.h"
#include "backup/backup.h"

namespace sealift::backup {

/// The catalog of `environment`, which outlives the writer, learns of each volume when
/// it is finished: memory then holds the ids of one, not of the whole archive. What it
/// cannot take, the writer keeps in mind.
archive::ArchiveOptions archive_options(const BackupEnvironment& environment,
                                        std::uint64_t volume_size);

/// Commits what was written as a snapshot.
/// errors  As run_backup(); nothing is visible.
base::Result<archive::CommittedSnapshot> commit_snapshot(
    BackupEnvironment& environment, archive::ArchiveWriter& writer,
    archive::Manifest manifest, std::vector<archive::ProtectionKeyFile> keys);

}  // namespace sealift::backup
