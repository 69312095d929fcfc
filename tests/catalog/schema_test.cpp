#include "catalog/schema.h"

#include <sys/stat.h>

#include "catalog/catalog.h"
#include "tests/archive/repository_fixture.h"

using namespace sealift;
using base::ErrorCode;
using catalog::Catalog;
using catalog::Database;
namespace fs = std::filesystem;

namespace {

archive::RepositoryId repository(char digit) {
  return archive::RepositoryId::parse(std::string(64, digit)).value();
}

void execute(const fs::path& path, const char* sql) {
  const auto database = Database::open(path);
  REQUIRE(database);
  REQUIRE(database->execute(sql));
}

}  // namespace

TEST_CASE("a new catalog gets today's schema, from version 0", "[catalog]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "below" / "catalog.db";
  REQUIRE(Catalog::open(path, repository('1')));
  const auto database = Database::open(path).value();
  CHECK(database.integer("PRAGMA user_version").value() == catalog::kSchemaVersion);
  CHECK(database
            .integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND "
                     "sql NOT LIKE '%STRICT%' AND name <> 'sqlite_sequence'")
            .value() == 0);
  CHECK(database.integer("PRAGMA foreign_keys").value() == 1);
  CHECK(database.integer("PRAGMA cache_size").value() == -32768);
  CHECK(database.integer("PRAGMA journal_size_limit").value() == 64 * 1024 * 1024);
  auto mode = database.prepare("PRAGMA journal_mode").value();
  REQUIRE(mode.next().value());
  CHECK(mode.text(0) == "wal");
  CHECK(fs::status(path).permissions() == fs::perms(0600));
  CHECK(fs::status(path.string() + "-wal").permissions() == fs::perms(0600));

  SECTION("and keeps it when it is opened again") {
    CHECK(Catalog::open(path, repository('1')));
  }
  SECTION("an empty file is a catalog of version 0") {
    const fs::path empty = scratch.path() / "empty.db";
    support::overwrite(empty, "");
    CHECK(Catalog::open(empty, repository('1')));
  }
}

TEST_CASE("a catalog belongs to one repository", "[catalog]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "catalog.db";
  REQUIRE(Catalog::open(path, repository('1')));
  const auto other = Catalog::open(path, repository('2'));
  REQUIRE_FALSE(other);
  CHECK(other.error().code() == ErrorCode::kRefused);
  CHECK(base::render(other.error()) ==
        "error: the catalog belongs to another repository\n"
        "  where: catalog " +
            path.string() + ", repository " + std::string(64, '2') +
            ", repository of the catalog " + std::string(64, '1') +
            "\n"
            "  next:  leave out --catalog, so that every repository has its own\n");
}

TEST_CASE("a catalog of a newer sealift is not touched", "[catalog]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "catalog.db";
  REQUIRE(Catalog::open(path, repository('1')));
  execute(path, "PRAGMA user_version = 2");
  const auto opened = Catalog::open(path, repository('1'));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == ErrorCode::kUnsupported);
  CHECK(opened.error().what() ==
        "the catalog was written by a newer sealift (schema 2, this program knows 1)");
}

TEST_CASE("somebody else's database is not touched", "[catalog]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "mail.db";
  execute(path, "CREATE TABLE mail(text)");
  const std::string before = support::contents(path);
  const auto opened = Catalog::open(path, repository('1'));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == ErrorCode::kRefused);
  CHECK(support::contents(path) == before);
}

TEST_CASE("an empty database that somebody marked as theirs is not touched",
          "[catalog]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "mail.db";
  SECTION("by an application id") { execute(path, "PRAGMA application_id = 7"); }
  SECTION("by a version") { execute(path, "PRAGMA user_version = 1"); }
  const std::string before = support::contents(path);
  CHECK(Catalog::open(path, repository('1')).error().code() == ErrorCode::kRefused);
  CHECK(support::contents(path) == before);
}

TEST_CASE("a damaged catalog says how to make it anew", "[catalog]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "catalog.db";
  SECTION("no database at all") { support::overwrite(path, std::string(9000, 'x')); }
  SECTION("a page full of nonsense") {
    REQUIRE(Catalog::open(path, repository('1')));
    std::string bytes = support::contents(path);
    REQUIRE(bytes.size() > 8192);
    bytes.replace(100, 3000, std::string(3000, '\xee'));
    support::overwrite(path, bytes);
  }
  const auto opened = Catalog::open(path, repository('1'));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == ErrorCode::kCorrupt);
  REQUIRE(opened.error().next_steps().size() == 1);
  CHECK(opened.error().next_steps().front() ==
        "make the catalog anew with `sealift catalog rebuild`; nothing is lost");
}

TEST_CASE("a catalog is told from other files by how it begins", "[catalog]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "catalog.db";
  SECTION("a catalog") {
    REQUIRE(Catalog::open(path, repository('1')));
    CHECK(Catalog::check_is_ours(path));
  }
  SECTION("another database") {
    execute(path, "CREATE TABLE mail(text)");
    CHECK(Catalog::check_is_ours(path).error().code() == ErrorCode::kRefused);
  }
  SECTION("another file") {
    support::overwrite(path, "my thesis, the only copy");
    CHECK(Catalog::check_is_ours(path).error().code() == ErrorCode::kRefused);
  }
}

TEST_CASE("a catalog that cannot be written is the system's refusal", "[catalog]") {
  const support::ScratchFolder scratch;
  support::overwrite(scratch.path() / "file", "x");
  const auto opened =
      Catalog::open(scratch.path() / "file" / "catalog.db", repository('1'));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == ErrorCode::kIo);
}

TEST_CASE("a catalog is not opened through a symbolic link", "[catalog]") {
  const support::ScratchFolder scratch;
  fs::create_symlink(scratch.path() / "elsewhere", scratch.path() / "catalog.db");
  CHECK_FALSE(Catalog::open(scratch.path() / "catalog.db", repository('1')));
  CHECK_FALSE(fs::exists(scratch.path() / "elsewhere"));
}
