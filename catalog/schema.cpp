#include "catalog/schema.h"

#include <array>
#include <chrono>
#include <thread>

namespace sealift::catalog {

namespace {

using base::Error;
using base::ErrorCode;

constexpr std::chrono::seconds kWalLimit(60);
constexpr std::chrono::milliseconds kWalPause(10);

// "SEAL": tells a catalog from any other SQLite database (PRAGMA application_id).
constexpr std::int64_t kApplication = 0x5345414c;

// Migration n (from 0) makes version n + 1 out of version n. A released one never
// changes. Times are seconds since 1970, UTC.
constexpr std::array<const char*, kSchemaVersion> kMigrations{
    R"(
CREATE TABLE meta(
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A believed volume. is_indexed: 0 its index was not opened for want of the repository
-- key, 1 its frames are in the table chunk, 2 the repository key does not open it.
CREATE TABLE volume(
  row INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  archive BLOB NOT NULL,
  number INTEGER NOT NULL,
  signer BLOB NOT NULL,
  created INTEGER NOT NULL,
  is_indexed INTEGER NOT NULL
) STRICT;
CREATE INDEX volume_by_archive ON volume(archive, number);

-- Chunks lead nowhere when their volume is gone, until a sweep takes them.
CREATE TRIGGER unswept AFTER DELETE ON volume WHEN old.is_indexed = 1 BEGIN
  INSERT OR IGNORE INTO meta VALUES ('is_unswept', '1');
END;

-- A key that seals frames of a volume, and, as the volume's signer says, whose it is.
-- No number is ever given twice, so that chunks of a key that is gone lead nowhere.
CREATE TABLE frame_key(
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  volume INTEGER NOT NULL REFERENCES volume(row) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  id BLOB NOT NULL,
  archive BLOB NOT NULL,
  signer BLOB NOT NULL
) STRICT;
CREATE INDEX frame_key_by_volume ON frame_key(volume);

-- Every place where a chunk or page may lie. The volume is the key's. When a volume goes,
-- its chunks are swept afterwards, in one pass for all that went: an index to find them
-- by would be a fifth of the catalog.
CREATE TABLE chunk(
  id BLOB NOT NULL,
  frame_key INTEGER NOT NULL,
  place INTEGER NOT NULL,
  stored_size INTEGER NOT NULL,
  plain_size INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  PRIMARY KEY (id, frame_key, place)
) STRICT, WITHOUT ROWID;

-- A snapshot and its place in its signer's chain. is_opened: whether the manifest could
-- be read. is_whole: whether every volume of its archive is there and believed.
CREATE TABLE snapshot(
  archive BLOB PRIMARY KEY,
  volume INTEGER NOT NULL REFERENCES volume(row) ON DELETE CASCADE,
  signer BLOB NOT NULL,
  sequence INTEGER NOT NULL,
  previous BLOB NOT NULL,
  digest BLOB NOT NULL,
  created INTEGER NOT NULL,
  volumes INTEGER NOT NULL,
  is_whole INTEGER NOT NULL,
  is_opened INTEGER NOT NULL,
  vm_name TEXT NOT NULL,
  vm_uuid TEXT NOT NULL,
  cluster TEXT NOT NULL,
  host TEXT NOT NULL,
  kind TEXT NOT NULL,
  read TEXT NOT NULL,
  source_bytes INTEGER NOT NULL,
  changed_bytes INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL,
  verdict TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_by_volume ON snapshot(volume);

-- The newest record of each signer that was ever seen. began_at: that of the first
-- reading into an empty catalog; what was lost before, nobody here knows.
CREATE TABLE head(
  signer BLOB PRIMARY KEY,
  sequence INTEGER NOT NULL,
  digest BLOB NOT NULL,
  began_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)"};

struct Marks {
  std::int64_t application = 0;
  std::int64_t version = 0;
};

base::Result<Marks> read_marks(const Database& database) {
  Marks marks;
  ASSIGN_OR_RETURN(marks.application, database.integer("PRAGMA application_id"));
  ASSIGN_OR_RETURN(marks.version, database.integer("PRAGMA user_version"));
  return marks;
}

base::Status migrate(const Database& database) {
  // First without the lock that writing takes: another process may hold it for a
  // minute.
  ASSIGN_OR_RETURN(const Marks found, read_marks(database));
  if (found.application == kApplication && found.version == kSchemaVersion) {
    return base::Done{};
  }
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::begin(database, Transaction::Kind::kWrite));
  ASSIGN_OR_RETURN(const Marks marks, read_marks(database));
  const auto& [application, version] = marks;
  ASSIGN_OR_RETURN(const std::int64_t tables,
                   database.integer("SELECT count(*) FROM sqlite_schema"));
  const bool is_new = application == 0 && version == 0 && tables == 0;
  if (!is_new && application != kApplication) {
    return Error(ErrorCode::kRefused, "the file is a database, and no catalog")
        .next("name the catalog with --catalog FILE; this file is untouched");
  }
  if (version > kSchemaVersion) {
    return Error(ErrorCode::kUnsupported,
                 "the catalog was written by a newer sealift (schema " +
                     std::to_string(version) + ", this program knows " +
                     std::to_string(kSchemaVersion) + ")")
        .next("use that sealift, or another catalog with --catalog FILE");
  }
  for (auto step = static_cast<std::size_t>(version); step < kMigrations.size();
       ++step) {
    RETURN_IF_ERROR(database.execute(kMigrations[step]));
  }
  RETURN_IF_ERROR(database.execute(
      ("PRAGMA application_id = " + std::to_string(kApplication)).c_str()));
  RETURN_IF_ERROR(database.execute(
      ("PRAGMA user_version = " + std::to_string(kSchemaVersion)).c_str()));
  return transaction.commit();
}

base::Status bind_repository(const Database& database,
                             const archive::RepositoryId& repository) {
  ASSIGN_OR_RETURN(Query insert, database.prepare("INSERT OR IGNORE INTO meta VALUES "
                                                  "('repository', ?1)"));
  ASSIGN_OR_RETURN(Query select, database.prepare("SELECT value FROM meta WHERE "
                                                  "name = 'repository'"));
  ASSIGN_OR_RETURN(bool is_bound, select.with().next());
  if (!is_bound) {
    RETURN_IF_ERROR(insert.with(repository.hex()).run());
    ASSIGN_OR_RETURN(is_bound, select.with().next());
  }
  const std::string bound = is_bound ? select.text(0) : "";
  if (bound == repository.hex()) return base::Done{};
  return Error(ErrorCode::kRefused, "the catalog belongs to another repository")
      .at("repository of the catalog", bound)
      .at("repository", repository.hex())
      .next("leave out --catalog, so that every repository has its own");
}

// SQLite changes the journal's kind without waiting for another process that has just
// opened the new file (its busy handler is not asked): so this waits.
base::Status use_write_ahead_log(const Database& database) {
  const auto deadline = std::chrono::steady_clock::now() + kWalLimit;
  while (true) {
    auto status =
        database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    if (status || status.error().code() != ErrorCode::kBusy ||
        std::chrono::steady_clock::now() >= deadline) {
      return status;
    }
    std::this_thread::sleep_for(kWalPause);
  }
}

}  // namespace

base::Status prepare_schema(const Database& database,
                            const archive::RepositoryId& repository) {
  RETURN_IF_ERROR(migrate(database));
  RETURN_IF_ERROR(bind_repository(database, repository));
  // After it is known to be a catalog: this changes the file.
  return use_write_ahead_log(database);
}

}  // namespace sealift::catalog
