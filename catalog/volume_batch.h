// Volumes on their way into the tables, many at a time.
#pragma once

#include <utility>
#include <vector>

#include "catalog/volume_rows.h"

namespace sealift::catalog {

/// Chunks lie in the table in the order of their ids, which are random: written volume
/// by volume, each volume would change every page of a large catalog. So they are
/// gathered in a temporary table (SQLite's: in a file of its own when it is large), and
/// sorted into place once there are about as many as the catalog holds. One at a time
/// for a database.
class VolumeBatch {
 public:
  /// errors  kIo.
  static base::Result<VolumeBatch> begin(const Database& database);
  VolumeBatch(VolumeBatch&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)),
        volumes_(std::move(other.volumes_)),
        keys_(other.keys_),
        chunks_(other.chunks_),
        known_(other.known_) {}
  VolumeBatch& operator=(VolumeBatch&&) = delete;
  ~VolumeBatch();

  /// Nothing shows before write(). errors  kIo.
  base::Status add(ReadVolume read);

  /// Whether more would cost more memory or time than it saves.
  bool is_full() const;
  bool is_empty() const { return volumes_.empty(); }

  /// Writes all that was added in one transaction, and is empty then.
  /// return  Why volumes were refused, in order: kCorrupt, as insert_volume() says.
  /// errors  kBusy, kIo: nothing was written.
  base::Result<std::vector<base::Error>> write(const archive::Trust& trust);

 private:
  VolumeBatch(const Database& database, std::uint64_t known)
      : database_(&database), known_(known) {}

  struct Added {
    ReadVolume read;              ///< Without what no row needs.
    std::uint64_t first_key = 0;  ///< Of its keys among those of all that was added.
  };
  base::Status write_volumes(const archive::Trust& trust,
                             std::vector<base::Error>& refused);

  const Database* database_;
  std::vector<Added> volumes_;
  std::uint64_t keys_ = 0;
  std::uint64_t chunks_ = 0;
  std::uint64_t known_;  ///< Chunks in the table, about.
};

}  // namespace sealift::catalog
