// SQLite as this room uses it: a database, a query, and its words when it refuses.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/digest_id.h"
#include "base/handle.h"
#include "base/result.h"

namespace sealift::catalog {

/// A prepared statement. One thread at a time.
class Query {
 public:
  Query() = default;

  /// Forgets the last run and binds the parameters, in order.
  template <typename... Values>
  Query& with(const Values&... values) {
    static_cast<void>(sqlite3_reset(statement_.get()));
    int position = 0;
    (bind(++position, values), ...);
    return *this;
  }

  /// Whether there is another row. errors  as Database::error().
  base::Result<bool> next();
  /// For statements without rows. errors  as next().
  base::Status run();

  int columns() const;
  std::int64_t integer(int column) const;
  std::uint64_t number(int column) const;  ///< Of a column that is never negative.
  std::string text(int column) const;
  /// Of the id's size; zero for a blob of another size, which no row of ours has.
  template <typename Id>
  Id id(int column) const {
    const base::ByteView bytes = blob(column);
    return bytes.size() == Id::kSize ? Id::from(bytes) : Id();
  }

 private:
  friend class Database;
  explicit Query(sqlite3_stmt* statement) : statement_(statement) {}

  base::ByteView blob(int column) const;
  void bind(int position, std::int64_t value);
  void bind(int position, std::string_view value);
  void bind(int position, base::ByteView value);
  void bind(int position, std::uint64_t value) {
    bind(position, static_cast<std::int64_t>(value));
  }
  void bind(int position, std::uint32_t value) {
    bind(position, static_cast<std::int64_t>(value));
  }
  void bind(int position, int value) {
    bind(position, static_cast<std::int64_t>(value));
  }
  void bind(int position, const char* value) {
    bind(position, std::string_view(value));
  }
  void bind(int position, const std::string& value) {
    bind(position, std::string_view(value));
  }
  template <typename Meaning, std::size_t Size>
  void bind(int position, const base::DigestId<Meaning, Size>& id) {
    bind(position, id.view());
  }

  base::Handle<sqlite3_stmt, sqlite3_finalize> statement_;
};

/// Threads: as SQLite's serialized mode; a Query belongs to one thread at a time.
class Database {
 public:
  /// `path` (created with 0600 when missing), or memory alone for an empty path.
  /// errors  kIo, kCorrupt.
  static base::Result<Database> open(const std::filesystem::path& path);

  /// Several statements without parameters. errors  as error().
  base::Status execute(const char* sql) const;
  /// errors  as error(); a statement of ours that does not parse is a defect.
  base::Result<Query> prepare(std::string_view sql) const;
  /// The first column of the only row. errors  as error().
  base::Result<std::int64_t> integer(std::string_view sql) const;
  /// Of the last row inserted by this connection.
  std::int64_t last_row() const;

  /// SQLite's last words as an Error: kBusy, kCorrupt (damaged; next: rebuild), kIo.
  base::Error error(std::string what) const;

 private:
  friend class Query;
  friend class Hurry;
  explicit Database(base::Handle<sqlite3, sqlite3_close_v2> connection)
      : connection_(std::move(connection)) {}

  /// For another process that writes, before it is kBusy.
  void wait_at_most(std::chrono::milliseconds limit) const;

  base::Handle<sqlite3, sqlite3_close_v2> connection_;
};

/// As long as it lives, another process that writes is waited for only a second: who
/// waits keeps every other thread from the database.
class Hurry {
 public:
  explicit Hurry(const Database& database);
  Hurry(const Hurry&) = delete;
  Hurry& operator=(const Hurry&) = delete;
  ~Hurry();

 private:
  const Database* database_;
};

/// All of it or nothing: rolled back when it dies uncommitted.
class Transaction {
 public:
  enum class Kind { kRead, kWrite };
  /// errors  kBusy: another process writes for longer than the busy timeout.
  static base::Result<Transaction> begin(const Database& database, Kind kind);
  Transaction(Transaction&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  base::Status commit();

 private:
  explicit Transaction(const Database& database) : database_(&database) {}
  const Database* database_;
};

}  // namespace sealift::catalog
