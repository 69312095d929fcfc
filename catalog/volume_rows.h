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

/// Writes the rows of a volume but those of its chunks, in the caller's transaction.
/// What was written without a key is replaced.
/// return  The rows of its keys, in their order; none when another process already
///         wrote the volume.
/// errors  kCorrupt with a place "rule": it claims the place of another signer's volume
///         or snapshot, and has no rows then.  kCorrupt without, kIo: roll back.
base::Result<std::vector<std::int64_t>> insert_volume(const Database& database,
                                                      const ReadVolume& read,
                                                      const archive::Trust& trust);

/// Removes all rows of a volume but those of its chunks, which lead nowhere then.
base::Status delete_volume(const Database& database, const std::string& name);

/// Removes the chunks whose volume is gone, if any went: one pass over all of them.
base::Status sweep_chunks(const Database& database);

}  // namespace sealift::catalog
