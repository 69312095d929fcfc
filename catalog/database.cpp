#include "catalog/database.h"

#include <fcntl.h>

#include <cerrno>

#include "base/file_descriptor.h"
#include "base/filesystem.h"

namespace sealift::catalog {

namespace {

using base::Error;
using base::ErrorCode;

// Another process of this host may be sorting millions of chunks in.
constexpr std::chrono::minutes kPatience(5);

ErrorCode code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kBusy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return ErrorCode::kCorrupt;
    default:
      return ErrorCode::kIo;
  }
}

Error error_of(sqlite3* connection, std::string what) {
  const int result = sqlite3_extended_errcode(connection);
  const ErrorCode code = code_of(result);
  Error error = Error(code, std::move(what)).because(sqlite3_errmsg(connection));
  const char* path = sqlite3_db_filename(connection, "main");
  const bool is_in_memory = path == nullptr || *path == '\0';
  error.at("catalog", is_in_memory ? "in memory" : path);
  if (code == ErrorCode::kCorrupt) {
    error.next("make the catalog anew with `sealift catalog rebuild`; nothing is lost");
  }
  if ((result & 0xff) == SQLITE_FULL) {
    error.next(
        "make room there, and for SQLite's temporary files: in the folder that "
        "SQLITE_TMPDIR names, or in /var/tmp");
  }
  return error;
}

// SQLite gives the files beside it the mode of the database: it is set before.
base::Status create_private(const std::filesystem::path& path) {
  if (!path.parent_path().empty()) {
    RETURN_IF_ERROR(
        base::real_filesystem().create_directories(path.parent_path(), 0700));
  }
  const base::FileDescriptor file(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file) return base::Done{};
  return base::system_error(errno, "cannot open the catalog")
      .at("catalog", path.string())
      .next(
          "name another place with --catalog FILE, or run it as the user whose "
          "catalog this is");
}

}  // namespace

base::Result<bool> Query::next() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return error_of(sqlite3_db_handle(statement_.get()), "the catalog refused a query");
}

base::Status Query::run() {
  ASSIGN_OR_RETURN(const bool has_row, next());
  static_cast<void>(has_row);
  return base::Done{};
}

int Query::columns() const { return sqlite3_column_count(statement_.get()); }

std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::uint64_t Query::number(int column) const {
  return static_cast<std::uint64_t>(integer(column));
}

std::string Query::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  const auto size =
      static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text), size};
}

base::ByteView Query::blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const auto size =
      static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return {static_cast<const std::byte*>(bytes), bytes == nullptr ? 0 : size};
}

// What fails in binding (no memory, a wrong position) also fails the next step.
void Query::bind(int position, std::int64_t value) {
  static_cast<void>(sqlite3_bind_int64(statement_.get(), position, value));
}

void Query::bind(int position, std::string_view value) {
  static_cast<void>(sqlite3_bind_text64(statement_.get(), position, value.data(),
                                        value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Query::bind(int position, base::ByteView value) {
  static_cast<void>(sqlite3_bind_blob64(statement_.get(), position, value.data(),
                                        value.size(), SQLITE_TRANSIENT));
}

base::Result<Database> Database::open(const std::filesystem::path& path) {
  if (!path.empty()) RETURN_IF_ERROR(create_private(path));
  const std::string name = path.empty() ? ":memory:" : path.string();
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(name.c_str(), &opened,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                         SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW,
                                     nullptr);
  Database database{base::Handle<sqlite3, sqlite3_close_v2>(opened)};
  if (result != SQLITE_OK) return database.error("cannot open the catalog");
  database.wait_at_most(kPatience);
  static_cast<void>(sqlite3_extended_result_codes(opened, 1));
  // 32 MiB of pages, and as much again where SQLite sorts, so that lookups of millions
  // of chunks stay within bounds. What a large transaction made of the log is given
  // back: to write over it later would read each block of it first.
  RETURN_IF_ERROR(
      database.execute("PRAGMA foreign_keys = ON;"
                       "PRAGMA cache_size = -32768;"
                       "PRAGMA journal_size_limit = 67108864;"
                       "PRAGMA trusted_schema = OFF;"
                       "PRAGMA cell_size_check = ON;"));
  return database;
}

base::Status Database::execute(const char* sql) const {
  if (sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) {
    return base::Done{};
  }
  return error("the catalog refused a change");
}

base::Result<Query> Database::prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()), 0,
                         &statement, nullptr) != SQLITE_OK) {
    return error("the catalog refused a query");
  }
  return Query(statement);
}

base::Result<std::int64_t> Database::integer(std::string_view sql) const {
  ASSIGN_OR_RETURN(Query query, prepare(sql));
  ASSIGN_OR_RETURN(const bool has_row, query.next());
  return has_row ? query.integer(0) : 0;
}

std::int64_t Database::last_row() const {
  return sqlite3_last_insert_rowid(connection_.get());
}

base::Error Database::error(std::string what) const {
  return error_of(connection_.get(), std::move(what));
}

void Database::wait_at_most(std::chrono::milliseconds limit) const {
  static_cast<void>(
      sqlite3_busy_timeout(connection_.get(), static_cast<int>(limit.count())));
}

Hurry::Hurry(const Database& database) : database_(&database) {
  constexpr std::chrono::seconds kShort(1);
  database_->wait_at_most(kShort);
}

Hurry::~Hurry() { database_->wait_at_most(kPatience); }

base::Result<Transaction> Transaction::begin(const Database& database, Kind kind) {
  RETURN_IF_ERROR(database.execute(kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) static_cast<void>(database_->execute("ROLLBACK"));
}

base::Status Transaction::commit() {
  RETURN_IF_ERROR(database_->execute("COMMIT"));
  database_ = nullptr;
  return base::Done{};
}

}  // namespace sealift::catalog
