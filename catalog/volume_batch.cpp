#include "catalog/volume_batch.h"

#include <algorithm>

namespace sealift::catalog {

namespace {

// Half a gigabyte of temporary rows, and half a minute of sorting and writing, in which
// other processes wait to write.
constexpr std::uint64_t kMaxChunks = std::uint64_t{8} << 20U;
// What is kept of a volume takes some kilobytes.
constexpr std::size_t kMaxVolumes = 4096;

constexpr const char* kBegin = R"(
DROP TABLE IF EXISTS temp.staged_chunk;
DROP TABLE IF EXISTS temp.staged_key;
CREATE TEMP TABLE staged_chunk(
  id BLOB NOT NULL,
  key INTEGER NOT NULL,
  place INTEGER NOT NULL,
  stored_size INTEGER NOT NULL,
  plain_size INTEGER NOT NULL,
  kind INTEGER NOT NULL
) STRICT;
-- Which row of frame_key a staged key became; none for a volume that was not written.
CREATE TEMP TABLE staged_key(
  key INTEGER PRIMARY KEY,
  frame_key INTEGER NOT NULL
) STRICT;
)";

// In the order of the table, which is ten times as fast as any other.
constexpr const char* kSortIn =
    "INSERT OR IGNORE INTO chunk "
    "SELECT c.id, k.frame_key, c.place, c.stored_size, c.plain_size, c.kind "
    "FROM staged_chunk c CROSS JOIN staged_key k ON k.key = c.key "
    "ORDER BY c.id, k.frame_key, c.place";

// The memory too, which clear() would keep.
void drop_what_no_row_needs(ReadVolume& read) {
  read.entries = std::vector<archive::IndexEntry>();
  read.volume.index_frames = base::Bytes();
  read.volume.envelopes.clear();
  read.volume.metadata_envelopes.clear();
  if (read.volume.snapshot) {
    read.volume.snapshot->manifest_frame = base::Bytes();
    read.volume.snapshot->protection_keys.clear();
  }
  if (read.manifest) {
    read.manifest->components.clear();
    read.manifest->protection_keys.clear();
    if (read.manifest->verdicts.size() > 1) read.manifest->verdicts.resize(1);
    read.manifest->verdicts.shrink_to_fit();
    read.manifest->consistency.clear();
    read.manifest->versions.clear();
  }
}

// Not SQLite's word that the catalog is damaged.
bool is_refusal(const base::Error& error) {
  return std::ranges::find(error.places(), "rule", &base::Error::Place::kind) !=
         error.places().end();
}

}  // namespace

base::Result<VolumeBatch> VolumeBatch::begin(const Database& database) {
  RETURN_IF_ERROR(database.execute(kBegin));
  return VolumeBatch(database);
}

VolumeBatch::~VolumeBatch() {
  if (database_ == nullptr) return;
  static_cast<void>(
      database_->execute("DROP TABLE staged_chunk; DROP TABLE staged_key;"));
}

bool VolumeBatch::is_full() const {
  return chunk_count_ >= kMaxChunks || volumes_.size() >= kMaxVolumes;
}

base::Status VolumeBatch::add(ReadVolume read) {
  ASSIGN_OR_RETURN(Query insert, database_->prepare("INSERT INTO staged_chunk VALUES "
                                                    "(?1, ?2, ?3, ?4, ?5, ?6)"));
  const std::size_t keys = read.volume.keys.size();
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::begin(*database_, Transaction::Kind::kRead));
  for (const archive::IndexEntry& entry : read.entries) {
    if (entry.key >= keys) continue;
    RETURN_IF_ERROR(insert
                        .with(entry.id, key_count_ + entry.key, entry.offset,
                              entry.stored_size, entry.plain_size,
                              static_cast<int>(entry.kind))
                        .run());
  }
  RETURN_IF_ERROR(transaction.commit());
  chunk_count_ += read.entries.size();
  drop_what_no_row_needs(read);
  volumes_.push_back({std::move(read), key_count_});
  key_count_ += keys;
  return base::Done{};
}

base::Result<std::vector<base::Error>> VolumeBatch::write(const archive::Trust& trust) {
  std::vector<base::Error> refused;
  // Gone also when it fails: to try the same again would fail in the same way. Numbers
  // of keys go on, so that chunks left from a failure fit no key.
  const std::vector<Added> volumes = std::exchange(volumes_, {});
  chunk_count_ = 0;
  if (volumes.empty()) return refused;
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::begin(*database_, Transaction::Kind::kWrite));
  RETURN_IF_ERROR(write_volumes(volumes, trust, refused));
  RETURN_IF_ERROR(database_->execute(kSortIn));
  RETURN_IF_ERROR(
      database_->execute("DELETE FROM staged_chunk; DELETE FROM staged_key;"));
  RETURN_IF_ERROR(transaction.commit());
  return refused;
}

base::Status VolumeBatch::write_volumes(const std::vector<Added>& volumes,
                                        const archive::Trust& trust,
                                        std::vector<base::Error>& refused) {
  ASSIGN_OR_RETURN(Query insert,
                   database_->prepare("INSERT INTO staged_key VALUES (?1, ?2)"));
  for (const Added& added : volumes) {
    auto rows = insert_volume(*database_, added.read, trust);
    if (!rows && is_refusal(rows.error())) {
      refused.push_back(std::move(rows).error().at("volume", added.read.volume.name));
      continue;
    }
    if (!rows) return std::move(rows).error();
    std::uint64_t key = added.first_key;
    for (const std::int64_t row : rows.value()) {
      RETURN_IF_ERROR(insert.with(key++, row).run());
    }
  }
  return base::Done{};
}

}  // namespace sealift::catalog
