#include "base/file_descriptor.h"

#include <fcntl.h>

#include <type_traits>

#include "tests/support/catch.h"

namespace sealift::base {
namespace {

static_assert(!std::is_copy_constructible_v<FileDescriptor>);
static_assert(!std::is_copy_assignable_v<FileDescriptor>);

int open_something() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("a file descriptor is closed when it dies", "[base]") {
  const int number = open_something();
  {
    const FileDescriptor file(number);
    CHECK(file);
    CHECK(file.get() == number);
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("a file descriptor has one owner", "[base]") {
  FileDescriptor first(open_something());
  const int number = first.get();
  FileDescriptor second(std::move(first));
  CHECK(second.get() == number);
  FileDescriptor third;
  CHECK_FALSE(third);
  third = std::move(second);
  CHECK(third.get() == number);
  const int released = third.release();
  CHECK_FALSE(third);
  CHECK(is_open(released));
  static_cast<void>(::close(released));
}

}  // namespace sealift::base
