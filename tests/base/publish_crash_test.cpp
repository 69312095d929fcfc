// The steps by which files become durable, taken one by one and stopped at each.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <limits>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::base {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

// What the system calls below did, and which of them fails.
struct Tape {
  std::vector<std::string> steps;
  std::size_t failing_step = kNever;
  bool has_unnamed_files = true;
  bool can_remove = true;

  bool fails(std::string step) {
    steps.push_back(std::move(step));
    if (steps.size() - 1 < failing_step) return false;
    errno = EIO;
    return true;
  }
};
Tape tape;

std::string kind_of(int descriptor) {
  struct stat found {};
  ::fstat(descriptor, &found);
  return S_ISDIR(found.st_mode) ? "folder" : "file";
}

using Steps = std::vector<std::string>;

}  // namespace

// The linker sends the program's calls here (see CMakeLists.txt).
// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,cert-dcl50-cpp)
extern "C" int __real_fsync(int descriptor);
extern "C" int __wrap_fsync(int descriptor) {
  if (tape.fails("sync " + kind_of(descriptor))) return -1;
  return __real_fsync(descriptor);
}
extern "C" int __real_linkat(int from_folder, const char* from, int to_folder,
                             const char* to, int flags);
extern "C" int __wrap_linkat(int from_folder, const char* from, int to_folder,
                             const char* to, int flags) {
  if (tape.fails("name")) return -1;
  return __real_linkat(from_folder, from, to_folder, to, flags);
}
extern "C" int __real_rename(const char* from, const char* to);
extern "C" int __wrap_rename(const char* from, const char* to) {
  if (tape.fails("replace")) return -1;
  return __real_rename(from, to);
}
extern "C" ssize_t __real_write(int descriptor, const void* bytes, std::size_t size);
extern "C" ssize_t __wrap_write(int descriptor, const void* bytes, std::size_t size) {
  if (kind_of(descriptor) == "file" && tape.fails("write")) return -1;
  return __real_write(descriptor, bytes, size);
}
extern "C" int __real_unlink(const char* path);
extern "C" int __wrap_unlink(const char* path) {
  if (tape.can_remove) return __real_unlink(path);
  errno = EPERM;
  return -1;
}
extern "C" int __real_open(const char* path, int flags, ...);
extern "C" int __wrap_open(const char* path, int flags, ...) {
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  if (!tape.has_unnamed_files && (flags & O_TMPFILE) == O_TMPFILE) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return __real_open(path, flags, mode);
}
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,cert-dcl50-cpp)

TEST_CASE("a file is durable before it has a name, and its name before we say so",
          "[base][crash]") {
  const support::ScratchFolder scratch;
  tape = {};
  tape.has_unnamed_files = GENERATE(true, false);
  REQUIRE(publish(real_filesystem(), scratch.path() / "file", as_bytes("x"), 0600));
  const Steps steps = tape.steps;
  tape = {};
  CHECK(steps == Steps{"write", "sync file", "name", "sync folder"});
}

TEST_CASE("a replaced file is durable before it takes the place of the old",
          "[base][crash]") {
  const support::ScratchFolder scratch;
  tape = {};
  REQUIRE(real_filesystem().replace(scratch.path() / "head", as_bytes("x"), 0600));
  const Steps steps = tape.steps;
  tape = {};
  CHECK(steps == Steps{"write", "sync file", "replace", "sync folder"});
}

TEST_CASE("a published file is whole or absent, whatever step fails", "[base][crash]") {
  const Bytes bytes(300, std::byte{0x5a});
  const bool has_unnamed_files = GENERATE(true, false);
  bool has_failed = true;
  for (std::size_t step = 0; has_failed; ++step) {
    const support::ScratchFolder scratch;
    const fs::path path = scratch.path() / "file";
    tape = {};
    tape.failing_step = step;
    tape.has_unnamed_files = has_unnamed_files;

    const Status status = publish(real_filesystem(), path, bytes, 0600);

    has_failed = tape.steps.size() > step;
    tape = {};
    CAPTURE(step, has_unnamed_files);
    CHECK(static_cast<bool>(status) == !has_failed);
    const auto found = read_file(path, 1000);
    CHECK((found ? found.value() == bytes
                 : found.error().code() == ErrorCode::kNotFound));
    // Nothing else is left behind.
    CHECK(std::distance(fs::directory_iterator(scratch.path()), {}) == (found ? 1 : 0));
  }
}

TEST_CASE("storage that forbids to remove and has no unnamed files takes a file",
          "[base][crash]") {
  const support::ScratchFolder scratch;
  const fs::path path = scratch.path() / "file";
  tape = {};
  tape.has_unnamed_files = false;
  tape.can_remove = false;
  const Status status = publish(real_filesystem(), path, as_bytes("whole"), 0600);
  tape = {};
  CHECK(status);
  const auto found = read_file(path, 1000);
  REQUIRE(found);
  CHECK(as_text(found.value()) == "whole");
  // What stays beside it is the same file under a name that nobody looks for.
  for (const fs::directory_entry& entry : fs::directory_iterator(scratch.path())) {
    if (entry.path() == path) continue;
    CHECK(entry.path().filename().string().starts_with(".partial-"));
    CHECK(fs::equivalent(entry.path(), path));
  }
}

TEST_CASE("a replaced file holds the old or the new, whatever step fails",
          "[base][crash]") {
  const Bytes old_bytes(300, std::byte{0x11});
  const Bytes new_bytes(200, std::byte{0x22});
  bool has_failed = true;
  for (std::size_t step = 0; has_failed; ++step) {
    const support::ScratchFolder scratch;
    const fs::path path = scratch.path() / "head";
    tape = {};
    REQUIRE(publish(real_filesystem(), path, old_bytes, 0600));
    tape = {};
    tape.failing_step = step;

    const Status status = real_filesystem().replace(path, new_bytes, 0600);

    has_failed = tape.steps.size() > step;
    tape = {};
    CAPTURE(step);
    CHECK(static_cast<bool>(status) == !has_failed);
    const auto found = read_file(path, 1000);
    REQUIRE(found);
    CHECK((found.value() == new_bytes || (has_failed && found.value() == old_bytes)));
    CHECK(std::distance(fs::directory_iterator(scratch.path()), {}) == 1);
  }
}

}  // namespace sealift::base
