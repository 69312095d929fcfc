// Volumes on their way into the tables, many at a time.
#pragma once

#include <utility>
#include <vector>

#include "catalog/volume_rows.h"

namespace sealift::catalog {

/// Chunks lie in the table in the order of their ids, which are random: written volume
/// by volume, each volume would change every page of a large catalog. So they are
/// gathered in a temporary table (SQLite's: in a file of its own when it is large), and
/// sorted into place some million at a time.
/// Ownership  One at a time for a database, which outlives it; no transaction of the
/// connection is open meanwhile. Threads  One.
class VolumeBatch {
 public:
  /// errors  as Database::error().
  static base::Result<VolumeBatch> begin(const Database& database);
  VolumeBatch(VolumeBatch&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)),
        volumes_(std::move(other.volumes_)),
        key_count_(other.key_count_),
        chunk_count_(other.chunk_count_) {}
  VolumeBatch& operator=(VolumeBatch&&) = delete;
  ~VolumeBatch();

  /// Nothing shows before write(). errors  as Database::error().
  base::Status add(ReadVolume read);

  /// Whether more would cost more memory or time than it saves.
  bool is_full() const;

  /// Writes all that was added in one transaction. It is empty then, also after an
  /// error, and nothing was written after one.
  /// return  Why volumes were refused, in order: kCorrupt, as insert_volume() says.
  /// errors  as Database::error().
  base::Result<std::vector<base::Error>> write(const archive::Trust& trust);

 private:
  explicit VolumeBatch(const Database& database) : database_(&database) {}

  struct Added {
    ReadVolume read;              ///< Without what no row needs.
    std::uint64_t first_key = 0;  ///< Of its keys among those of all that was added.
  };
  base::Status write_volumes(const std::vector<Added>& volumes,
                             const archive::Trust& trust,
                             std::vector<base::Error>& refused);

  const Database* database_;
  std::vector<Added> volumes_;
  std::uint64_t key_count_ = 0;  ///< Of all that was ever added.
  std::uint64_t chunk_count_ = 0;
};

}  // namespace sealift::catalog
