// A process that was started with closed descriptors, as some schedulers do.
#include "cli/standard_descriptors.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/catch.h"

namespace sealift::cli {

namespace {

// In a child, which has closed `closed`: the first number that a new pipe gets.
int first_number_of_a_pipe(const std::vector<int>& closed) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int number : closed) ::close(number);
    int ends[2];
    const bool is_done = open_standard_descriptors() && ::pipe(ends) == 0;
    ::_exit(is_done ? ends[0] : 255);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("nothing that is opened gets the number of a closed standard descriptor",
          "[cli]") {
  const int usual = first_number_of_a_pipe({});
  CHECK(usual > STDERR_FILENO);
  CHECK(first_number_of_a_pipe({0}) == usual);
  CHECK(first_number_of_a_pipe({1}) == usual);
  CHECK(first_number_of_a_pipe({0, 2}) == usual);
  CHECK(first_number_of_a_pipe({0, 1, 2}) == usual);
}

TEST_CASE("a pipe whose reader left is told from one that is read", "[cli]") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  CHECK_FALSE(is_reader_gone(ends[1]));
  ::close(ends[0]);
  CHECK(is_reader_gone(ends[1]));
  ::close(ends[1]);

  const int file = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  CHECK_FALSE(is_reader_gone(file));
  ::close(file);
}

}  // namespace sealift::cli
