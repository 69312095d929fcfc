// A snapshot opened for reading, with the volumes that it needs.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "archive/snapshot_reader.h"
#include "catalog/catalog.h"

namespace sealift::restore {

/// A repository holds all volumes of an archive; a portable archive what it needs.
enum class Archives { kWhole, kAsNeeded };

/// Where a snapshot is read from. All that it refers to outlives what is opened.
struct SnapshotPlace {
  archive::VolumeSource source;
  /// Null: a recovery key opens what there is to be opened.
  const archive::RepositoryKeys* keys = nullptr;
  const archive::ChunkLocator& locator;
  Archives archives = Archives::kWhole;
};

/// errors  kCorrupt: its last volume is missing, is not believed, or holds another
///         snapshot.  kWrongKey: `identity` does not open it.
base::Result<std::unique_ptr<archive::SnapshotReader>> open_snapshot(
    const SnapshotPlace& place, const catalog::Snapshot& snapshot,
    const keyvault::RecoveryKey* identity);

/// The volumes of the snapshot's own archive and those that its disks reuse, sorted.
/// errors  kCorrupt: a chunk that its maps name has no place.
base::Result<std::vector<std::string>> volumes_of(const SnapshotPlace& place,
                                                  const archive::SnapshotReader& reader,
                                                  const catalog::Snapshot& snapshot,
                                                  std::stop_token stop);

/// The largest of a VM's small files that is read whole.
constexpr std::uint64_t kSmallFileLimit = std::uint64_t{64} * 1024 * 1024;

/// The component's content, the error naming it.
base::Result<base::Bytes> read_component(const archive::SnapshotReader& reader,
                                         const archive::Component& component);

}  // namespace sealift::restore
