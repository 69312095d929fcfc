#include "archive/folder_store.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/failing_filesystem.h"
#include "tests/support/object_store_contract.h"
#include "tests/support/scratch_folder.h"

using namespace sealift;
using base::ErrorCode;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::unique_ptr<archive::ObjectStore> open(const fs::path& folder) {
  return archive::open_folder(folder, base::real_filesystem()).value();
}

// Regular files under `folder`, as anybody sees them.
std::size_t files_in(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("a folder keeps the ObjectStore contract", "[archive]") {
  const support::ScratchFolder scratch;
  const auto store = open(scratch.path());
  support::check_object_store_contract(*store);
}

TEST_CASE("a repository folder that is not there is not made", "[archive]") {
  const support::ScratchFolder scratch;
  const fs::path missing = scratch.path() / "nfs" / "backup";
  const auto opened = archive::open_folder(missing, base::real_filesystem());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == ErrorCode::kNotFound);
  CHECK(base::render(opened.error()) ==
        "error: the folder is not there\n"
        "  where: folder " +
            missing.string() +
            "\n"
            "  next:  mount it if it is not mounted, then run the command again\n");
  CHECK_FALSE(fs::exists(missing));
}

TEST_CASE("a repository folder below a file is not there", "[archive]") {
  const support::ScratchFolder scratch;
  std::ofstream(scratch.path() / "file") << "x";
  for (const char* name : {"file", "file/backup"}) {
    const auto opened =
        archive::open_folder(scratch.path() / name, base::real_filesystem());
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == ErrorCode::kNotFound);
  }
}

TEST_CASE("a folder that vanished or was replaced is written no more", "[archive]") {
  const support::ScratchFolder scratch;
  const fs::path folder = scratch.path() / "backup";
  fs::create_directory(folder);
  const auto store = open(folder);
  REQUIRE(put_object(*store, "a/one", base::as_bytes("x")));
  auto pending = store->create("a/two");
  REQUIRE(pending);
  fs::rename(folder, scratch.path() / "unmounted");

  SECTION("by nothing") {}
  SECTION("by the empty folder under a mount point") { fs::create_directory(folder); }
  SECTION("by another repository") { fs::create_directories(folder / "a"); }

  const bool was_there = fs::exists(folder);
  const std::size_t held = was_there ? files_in(folder) : 0;
  CHECK(store->create("a/three").error().code() == ErrorCode::kNotFound);
  CHECK(store->list("").error().code() == ErrorCode::kNotFound);
  CHECK(store->is_empty().error().code() == ErrorCode::kNotFound);
  CHECK(store->examine("a/one").error().code() == ErrorCode::kNotFound);
  CHECK_FALSE(pending.value()->publish());
  CHECK(fs::exists(folder) == was_there);
  if (was_there) CHECK(files_in(folder) == held);
}

TEST_CASE("a file where a folder belongs is no object, and no link", "[archive]") {
  const support::ScratchFolder scratch;
  const auto store = open(scratch.path());
  REQUIRE(put_object(*store, "a", base::as_bytes("x")));
  const auto found = store->examine("a/one");
  REQUIRE_FALSE(found);
  CHECK(found.error().code() == ErrorCode::kNotFound);
}

TEST_CASE("a listing leaves out what no writer of ours makes", "[archive]") {
  const support::ScratchFolder scratch;
  const auto store = open(scratch.path());
  REQUIRE(put_object(*store, "archives/aa/x.tar", base::as_bytes("x")));
  const fs::path folder = scratch.path() / "archives" / "aa";
  write(folder / ".partial-0011223344556677", "half");
  write(folder / "über.tar", "foreign");
  write(folder / "a copy.tar", "foreign");
  fs::create_directory(folder / ".snapshot");
  write(folder / ".snapshot" / "x.tar", "old");
  write(scratch.path() / "secret", "outside");
  fs::create_symlink(scratch.path() / "secret", folder / "link.tar");
  fs::create_directory_symlink(scratch.path() / "archives",
                               scratch.path() / "archives" / "loop");
  REQUIRE(::mkfifo((folder / "pipe.tar").c_str(), 0600) == 0);

  CHECK(support::names_of(store->list("archives/").value()) ==
        std::vector<std::string>{"archives/aa/x.tar"});
}

TEST_CASE("no symbolic link inside a repository is followed", "[archive]") {
  const support::ScratchFolder scratch;
  const support::ScratchFolder outside;
  write(outside.path() / "x.tar", "outside");
  const auto store = open(scratch.path());
  fs::create_directory(scratch.path() / "archives");
  fs::create_directory_symlink(outside.path(), scratch.path() / "archives" / "aa");
  fs::create_symlink(outside.path() / "x.tar", scratch.path() / "archives" / "y.tar");
  std::array<std::byte, 1> byte{};

  for (const char* name : {"archives/aa/x.tar", "archives/y.tar"}) {
    CAPTURE(name);
    CHECK(store->examine(name).error().code() == ErrorCode::kCorrupt);
    CHECK(store->read(name, 0, byte).error().code() == ErrorCode::kCorrupt);
    CHECK(store->read(name, 0, byte).error().what() ==
          "a symbolic link lies where an object of the repository belongs");
  }
  CHECK(store->create("archives/aa/z.tar").error().code() == ErrorCode::kCorrupt);
  CHECK(store->list("archives/aa/").error().code() == ErrorCode::kCorrupt);
  CHECK(files_in(outside.path()) == 1);

  SECTION("but the repository itself may be reached through one") {
    fs::create_directory_symlink(scratch.path(), outside.path() / "backup");
    const auto linked = open(outside.path() / "backup");
    CHECK(put_object(*linked, "archives/z.tar", base::as_bytes("x")));
  }
}

TEST_CASE("objects are for everybody to read and for nobody else to write",
          "[archive]") {
  const support::ScratchFolder scratch;
  const mode_t mask = ::umask(0022);
  const auto store = open(scratch.path());
  REQUIRE(put_object(*store, "archives/aa/x.tar", base::as_bytes("x")));
  static_cast<void>(::umask(mask));
  CHECK(fs::status(scratch.path() / "archives/aa/x.tar").permissions() ==
        fs::perms(0644));
  CHECK(fs::status(scratch.path() / "archives/aa").permissions() == fs::perms(0755));
}

TEST_CASE("a folder is empty only when nothing at all is in it", "[archive]") {
  const support::ScratchFolder scratch;
  const auto store = open(scratch.path());
  SECTION("a new ext4 counts as empty") {
    fs::create_directory(scratch.path() / "lost+found");
    CHECK(store->is_empty().value());
  }
  SECTION("a file that no listing shows does not") {
    write(scratch.path() / "My Documents", "x");
    CHECK(store->list("").value().empty());
    CHECK_FALSE(store->is_empty().value());
  }
}

TEST_CASE("a write that the disk refuses leaves nothing visible and says so",
          "[archive][crash]") {
  bool has_failed = true;
  for (std::size_t step = 0; has_failed; ++step) {
    CAPTURE(step);
    const support::ScratchFolder scratch;
    support::FailingFilesystem filesystem(step);
    const auto store = archive::open_folder(scratch.path(), filesystem).value();

    const base::Status put =
        put_object(*store, "archives/aa/x.tar", base::as_bytes("content"));

    has_failed = filesystem.has_failed();
    CHECK(static_cast<bool>(put) != has_failed);
    CHECK(files_in(scratch.path()) == (put ? 1 : 0));
    CHECK(fs::exists(scratch.path() / "archives/aa") == static_cast<bool>(put));
    if (put) continue;
    CHECK(put.error().code() == ErrorCode::kIo);
    CHECK(put.error().places().back() ==
          base::Error::Place{"object", "archives/aa/x.tar"});
    REQUIRE_FALSE(put.error().next_steps().empty());
    const std::string& said = put.error().next_steps().back();
    CAPTURE(said);
    CHECK((said.ends_with("; nothing visible was left") ||
           said.ends_with("; nothing half-made is visible")));
  }
}

TEST_CASE("a folder that was made for what is not published goes again", "[archive]") {
  const support::ScratchFolder scratch;
  const auto store = open(scratch.path());
  const fs::path folder = scratch.path() / "archives/aa/one";
  {
    const auto dropped = store->create("archives/aa/one/x.tar").value();
    REQUIRE(dropped->append(base::as_bytes("x")));
    CHECK(fs::exists(folder));
  }
  CHECK_FALSE(fs::exists(folder));
  // Another archive may be about to be made there.
  CHECK(fs::exists(folder.parent_path()));

  REQUIRE(put_object(*store, "archives/aa/one/x.tar", base::as_bytes("x")));
  store->create("archives/aa/one/y.tar").value().reset();
  CHECK(fs::exists(folder / "x.tar"));
}

TEST_CASE("a full disk is said with the path, once", "[archive]") {
  const support::ScratchFolder scratch;
  const auto store = open(scratch.path());
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const auto pending = store->create("archives/aa/x.tar").value();
  struct rlimit small = before;
  small.rlim_cur = 1;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const base::Status appended = pending->append(base::as_bytes("content"));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  static_cast<void>(std::signal(SIGXFSZ, handler));
  REQUIRE_FALSE(appended);
  const std::string said = base::render(appended.error());
  CAPTURE(said);
  const std::string name = "archives/aa/x.tar";
  CHECK(said.find("file " + (scratch.path() / name).string()) != std::string::npos);
  CHECK(said.find(name) == said.rfind(name));
}
