// SnapshotReader with its surroundings given one by one.
#pragma once

#include "archive/snapshot_reader.h"

namespace sealift::archive {

/// What SnapshotReader::open() takes from a repository. What it refers to outlives the
/// reader.
struct ReaderSetting {
  const ObjectReader& store;
  RepositoryId repository;
  const Trust& trust;
  std::uint32_t chunk_size = 0;
};

base::Result<std::unique_ptr<SnapshotReader>> open_snapshot(
    const ReaderSetting& setting, const Volume& last_volume, const RepositoryKeys& keys,
    const keyvault::RecoveryKey* identity, const ChunkLocator& locator);

}  // namespace sealift::archive
