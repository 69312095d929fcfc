// Differencing disks whose parents came with an earlier export.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/snapshot_reader.h"
#include "backup/backup.h"

namespace sealift::backup {

/// A disk that is not in the export and on which one hangs that is.
struct WantedDisk {
  base::Uuid id;      ///< Its data-write GUID.
  std::string words;  ///< "data.avhdx hangs on base.vhdx".
};

/// Disks of an earlier snapshot that a new one goes on with as they are.
struct EarlierDisks {
  std::unique_ptr<archive::SnapshotReader> reader;  ///< Null: none is needed.
  archive::ArchiveId snapshot;
  std::vector<archive::Component> disks;
};

/// The disks that are wanted, and their parents up to the first, from the newest
/// snapshot of the VM that this host took. Each frame of them is looked up.
/// errors  kRefused: there is no such snapshot, it does not hold a disk that is needed,
///         or what it holds is not stored any more.  As catalog::Catalog::list().
base::Result<EarlierDisks> find_earlier_disks(const BackupEnvironment& environment,
                                              const base::Uuid& vm,
                                              const std::vector<WantedDisk>& wanted);

}  // namespace sealift::backup
