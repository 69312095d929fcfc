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

/// Where a snapshot is read from. All of it outlives what is opened.
struct SnapshotPlace {
  const archive::Repository& repository;
  const archive::RepositoryKeys& keys;
  const archive::ChunkLocator& locator;
};

/// errors  kCorrupt: its last volume is missing, is not believed, or holds another
///         snapshot.  kWrongKey: `identity` does not open it.
base::Result<std::unique_ptr<archive::SnapshotReader>> open_snapshot(
    const SnapshotPlace& place, const catalog::Snapshot& snapshot,
    const keyvault::RecoveryKey* identity);

/// The volumes of the snapshot's own archive and those that its disks reuse, sorted.
/// errors  kCorrupt: a chunk that its maps name has no place.
base::Result<std::vector<std::string>> volumes_of(const archive::SnapshotReader& reader,
                                                  const catalog::Snapshot& snapshot,
                                                  std::stop_token stop);

/// The largest of a VM's small files that is read whole.
constexpr std::uint64_t kSmallFileLimit = std::uint64_t{64} * 1024 * 1024;

/// The component's content, the error naming it.
base::Result<base::Bytes> read_component(const archive::SnapshotReader& reader,
                                         const archive::Component& component);

}  // namespace sealift::restore
