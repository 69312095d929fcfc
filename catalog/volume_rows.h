// A believed volume becomes rows.
#pragma once

#include <optional>
#include <vector>

#include "archive/volume.h"
#include "catalog/database.h"

namespace sealift::catalog {

/// What is_indexed and is_opened mean in the tables.
enum class Opened : int { kNoKey = 0, kYes = 1, kOtherKey = 2 };

struct ReadVolume {
  archive::Volume volume;
  Opened index = Opened::kNoKey;
  std::vector<archive::IndexEntry> entries;
  std::optional<archive::Manifest> manifest;
};

/// Opens what `keys` open (null: nothing). A volume of another repository's keys stays
/// closed, which is no error.
/// errors  kCorrupt: index or manifest do not open although they should.
base::Result<ReadVolume> read_volume(archive::Volume volume,
                                     const archive::RepositoryKeys* keys);

/// Writes all rows of it in one transaction. When another process already did, nothing
/// changes; rows written without a key are replaced.
/// errors  kCorrupt: it claims the place of another signer's volume or snapshot.
///         kBusy, kIo.
base::Status insert_volume(const Database& database, const ReadVolume& read,
                           const archive::Trust& trust);

base::Status delete_volume(const Database& database, const std::string& name);

}  // namespace sealift::catalog
