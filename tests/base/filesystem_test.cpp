#include "base/filesystem.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <vector>

#include "base/file_descriptor.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::base {
namespace {

namespace fs = std::filesystem;

Filesystem& real() { return real_filesystem(); }

std::string text_of(const fs::path& path) {
  const auto bytes = read_file(path, 1048576);
  REQUIRE(bytes);
  return std::string(as_text(bytes.value()));
}

std::size_t count_in(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

mode_t mode_of(const fs::path& path) {
  struct stat found {};
  REQUIRE(::lstat(path.c_str(), &found) == 0);
  return found.st_mode & 07777U;
}

}  // namespace

TEST_CASE("a published file is whole, and has the mode that was asked for", "[base]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "file";
  auto file = real().create(path, 0600);
  REQUIRE(file);
  REQUIRE(file.value()->append(as_bytes("one ")));
  REQUIRE(file.value()->append(as_bytes("two")));
  CHECK_FALSE(fs::exists(path));
  REQUIRE(file.value()->publish());
  CHECK(text_of(path) == "one two");
  CHECK(mode_of(path) == 0600);
  CHECK(count_in(scratch.path()) == 1);
}

TEST_CASE("a file that was never published leaves nothing", "[base]") {
  const support::ScratchFolder scratch;
  {
    auto file = real().create(scratch.path() / "file", 0600);
    REQUIRE(file.value()->append(as_bytes("text")));
  }
  CHECK(count_in(scratch.path()) == 0);
}

TEST_CASE("publishing never replaces a file", "[base]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "file";
  REQUIRE(publish(real(), path, as_bytes("first"), 0600));
  const Status refused = publish(real(), path, as_bytes("second"), 0600);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kBusy);
  CHECK(text_of(path) == "first");
  CHECK(count_in(scratch.path()) == 1);
}

TEST_CASE("publishing does not follow a symlink of that name", "[base]") {
  const support::ScratchFolder scratch;
  fs::create_symlink("elsewhere", scratch.path() / "file");
  CHECK(publish(real(), scratch.path() / "file", as_bytes("x"), 0600).error().code() ==
        ErrorCode::kBusy);
  CHECK_FALSE(fs::exists(scratch.path() / "elsewhere"));
}

TEST_CASE("a file in a folder that is not there is not found", "[base]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "missing" / "file";
  CHECK(real().create(path, 0600).error().code() == ErrorCode::kNotFound);
  CHECK(real().replace(path, {}, 0600).error().code() == ErrorCode::kNotFound);
}

TEST_CASE("replacing gives a file its new content, or makes it", "[base]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "head";
  REQUIRE(real().replace(path, as_bytes("1"), 0600));
  CHECK(text_of(path) == "1");
  REQUIRE(real().replace(path, as_bytes("2"), 0640));
  CHECK(text_of(path) == "2");
  CHECK(mode_of(path) == 0640);
  CHECK(count_in(scratch.path()) == 1);
}

TEST_CASE("replacing a folder fails and leaves no partial file", "[base]") {
  const support::ScratchFolder scratch;
  fs::create_directory(scratch.path() / "head");
  CHECK(real().replace(scratch.path() / "head", as_bytes("1"), 0600).error().code() ==
        ErrorCode::kIo);
  CHECK(count_in(scratch.path()) == 1);
}

TEST_CASE("a file that cannot be written in whole is not there at all", "[base]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "file";
  REQUIRE(publish(real(), scratch.path() / "head", as_bytes("old"), 0600));
  const pid_t child = ::fork();
  if (child == 0) {
    // What a full disk does, without a disk.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Bytes bytes(5000, std::byte{1});
    const Status created = publish(real(), path, bytes, 0600);
    const Status replaced = real().replace(scratch.path() / "head", bytes, 0600);
    const bool is_right = !created && created.error().code() == ErrorCode::kIo &&
                          created.error().cause() == "File too large" && !replaced;
    ::_exit(is_right ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(text_of(scratch.path() / "head") == "old");
  CHECK(count_in(scratch.path()) == 1);
}

// How many pages of the file lie in the page cache.
std::size_t cached_pages(const fs::path& path, std::size_t size) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(file);
  void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  REQUIRE(mapped != MAP_FAILED);
  std::vector<unsigned char> pages((size + 4095) / 4096);
  REQUIRE(::mincore(mapped, size, pages.data()) == 0);
  ::munmap(mapped, size);
  return static_cast<std::size_t>(std::ranges::count_if(
      pages, [](unsigned char page) { return (page & 1U) != 0; }));
}

TEST_CASE("pieces of any size are written in order, large ones past the page cache",
          "[base]") {
  const support::ScratchFolder folder;
  const fs::path path = folder.path() / "volume";
  Bytes content;
  auto created = real().create(path, 0644);
  REQUIRE(created);
  const std::unique_ptr<NewFile> file = std::move(created).value();
  for (const std::size_t size : {5U, 1000U, 65536U, 512U, 3U << 20U, 1U, 100000U,
                                 (1U << 20U) - 1, 8U << 20U, 4095U, 0U, 77U}) {
    Bytes piece(size);
    for (std::size_t i = 0; i < size; ++i) {
      piece[i] = static_cast<std::byte>((content.size() + i) * 2654435761U >> 16U);
    }
    REQUIRE(file->append(piece));
    content.insert(content.end(), piece.begin(), piece.end());
  }
  REQUIRE(file->publish());
  struct statfs found {};
  REQUIRE(::statfs(path.c_str(), &found) == 0);
  if (found.f_type == EXT4_SUPER_MAGIC || found.f_type == XFS_SUPER_MAGIC) {
    // The head up to the first large piece, and the tail after the last whole MiB.
    CHECK(cached_pages(path, content.size()) <= 300);
  }
  const auto read = read_file(path, 64U << 20U);
  REQUIRE(read);
  CHECK(read.value() == content);
}

TEST_CASE("missing folders are made, those that are there stay", "[base]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "a" / "b" / "c";
  REQUIRE(real().create_directories(path, 0700));
  REQUIRE(real().create_directories(path, 0755));
  CHECK(mode_of(path) == 0700);
  CHECK(mode_of(scratch.path() / "a") == 0700);
  REQUIRE(real().create_directories(scratch.path(), 0700));
}

TEST_CASE("a folder cannot be made where a file is", "[base]") {
  const support::ScratchFolder scratch;
  REQUIRE(publish(real(), scratch.path() / "file", {}, 0600));
  CHECK(real().create_directories(scratch.path() / "file", 0700).error().code() ==
        ErrorCode::kIo);
  CHECK_FALSE(real().create_directories(scratch.path() / "file" / "below", 0700));
}

TEST_CASE("removing a file is no error when it is not there", "[base]") {
  const support::ScratchFolder scratch;
  REQUIRE(publish(real(), scratch.path() / "file", {}, 0600));
  REQUIRE(real().remove(scratch.path() / "file"));
  CHECK(count_in(scratch.path()) == 0);
  REQUIRE(real().remove(scratch.path() / "file"));
  CHECK_FALSE(real().remove(scratch.path()));  // A folder.
}

TEST_CASE("a file is read up to its limit and no further", "[base]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "file";
  REQUIRE(publish(real(), path, Bytes(100000, std::byte{7}), 0600));
  CHECK(read_file(path, 100000).value() == Bytes(100000, std::byte{7}));
  CHECK(read_file(path, 99999).error().code() == ErrorCode::kRefused);
  CHECK(read_file(path, 0).error().code() == ErrorCode::kRefused);
}

TEST_CASE("what is no regular file is not read", "[base]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "thing";
  SECTION("nothing there") {
    CHECK(read_file(path, 10).error().code() == ErrorCode::kNotFound);
    CHECK(read_file(path / "below", 10).error().code() == ErrorCode::kNotFound);
  }
  SECTION("a symlink") {
    REQUIRE(publish(real(), scratch.path() / "file", {}, 0600));
    fs::create_symlink(scratch.path() / "file", path);
    CHECK(read_file(path, 10).error().code() == ErrorCode::kRefused);
  }
  SECTION("a folder") {
    fs::create_directory(path);
    CHECK(read_file(path, 10).error().code() == ErrorCode::kRefused);
  }
  SECTION("a pipe, which is not waited for") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    CHECK(read_file(path, 10).error().code() == ErrorCode::kRefused);
  }
}

TEST_CASE("a file and a folder get the mode asked for, whatever the umask", "[base]") {
  const support::ScratchFolder scratch;
  const mode_t before = ::umask(0077);
  const auto folder = scratch.path() / "folder";
  const Status made = real().create_directories(folder, 0755);
  const Status written = publish(real(), folder / "file", as_bytes("x"), 0644);
  ::umask(before);
  REQUIRE(made);
  REQUIRE(written);
  struct stat found {};
  REQUIRE(::stat(folder.c_str(), &found) == 0);
  CHECK((found.st_mode & 07777U) == 0755);
  REQUIRE(::stat((folder / "file").c_str(), &found) == 0);
  CHECK((found.st_mode & 07777U) == 0644);
}

}  // namespace sealift::base
