#include "base/subprocess.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/support/catch.h"

namespace sealift::base {
namespace {

Result<ProgramOutput> shell(const std::string& script,
                            std::chrono::seconds limit = std::chrono::seconds(20)) {
  return run_program({"sh", "-c", script}, limit);
}

}  // namespace

TEST_CASE("a program's words and exit status come back", "[base]") {
  const auto result = shell("echo out; echo err >&2; exit 7");
  REQUIRE(result);
  CHECK(result->output == "out\n");
  CHECK(result->error_output == "err\n");
  CHECK(result->exit_status == 7);
}

TEST_CASE("arguments reach a program as they are", "[base]") {
  const auto result = run_program({"printf", "%s|", "a b", "", "$HOME", "'\"*"},
                                  std::chrono::seconds(20));
  CHECK(result->output == "a b||$HOME|'\"*|");
}

TEST_CASE("a program that a signal ended has status 128 + signal", "[base]") {
  CHECK(shell("kill -TERM $$")->exit_status == 128 + 15);
}

TEST_CASE("a program that is not installed is not found", "[base]") {
  const auto result = run_program({"sealift-no-such-program"}, std::chrono::seconds(5));
  REQUIRE_FALSE(result);
  CHECK(result.error().code() == ErrorCode::kNotFound);
  CHECK(result.error().places().front().name == "sealift-no-such-program");
}

TEST_CASE("a program that runs too long is stopped", "[base]") {
  const auto begin = std::chrono::steady_clock::now();
  const auto result = run_program({"sleep", "60"}, std::chrono::seconds(1));
  REQUIRE_FALSE(result);
  CHECK(result.error().code() == ErrorCode::kIo);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(30));
}

TEST_CASE("a program that closes its output and runs on is stopped too", "[base]") {
  const auto begin = std::chrono::steady_clock::now();
  const auto result =
      shell("exec >/dev/null 2>/dev/null; exec sleep 20", std::chrono::seconds(1));
  REQUIRE_FALSE(result);
  CHECK(result.error().code() == ErrorCode::kIo);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(15));
}

TEST_CASE("a program has no standard input", "[base]") {
  CHECK(run_program({"cat"}, std::chrono::seconds(20))->output.empty());
}

TEST_CASE("a program speaks English", "[base]") {
  ::setenv("LC_ALL", "de_DE.UTF-8", 1);
  CHECK(shell("echo $LC_ALL")->output == "C\n");
  ::unsetenv("LC_ALL");
}

TEST_CASE("a program inherits no file but the three", "[base]") {
  const int leaked = ::open("/dev/null", O_RDONLY);  // Without O_CLOEXEC.
  const auto result = shell("ls /proc/self/fd | wc -l");
  static_cast<void>(::close(leaked));
  // 0, 1, 2, and the folder that ls reads.
  CHECK(std::stoi(result->output) == 4);
}

TEST_CASE("output beyond the limits is dropped, and the program ends", "[base]") {
  const auto result =
      shell("head -c 5000000 /dev/zero; head -c 100000 /dev/zero >&2; exit 3");
  REQUIRE(result);
  CHECK(result->output.size() == std::size_t{4} * 1024 * 1024);
  CHECK(result->error_output.size() == std::size_t{64} * 1024);
  CHECK(result->exit_status == 3);
}

}  // namespace sealift::base
