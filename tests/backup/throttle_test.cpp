#include "backup/throttle.h"

#include "tests/support/catch.h"

namespace sealift::backup {

using namespace std::chrono_literals;

TEST_CASE("a throttle without a rate never waits", "[backup]") {
  const auto start = std::chrono::steady_clock::now();
  CHECK(Throttle(std::nullopt, start).delay(std::uint64_t{1} << 60, start) == 0ns);
}

TEST_CASE("a throttle waits until the bytes so far are due", "[backup]") {
  const auto start = std::chrono::steady_clock::now();
  const Throttle throttle(1000, start);

  CHECK(throttle.delay(0, start) == 0ns);
  CHECK(throttle.delay(500, start) == 500ms);
  CHECK(throttle.delay(500, start + 200ms) == 300ms);
  CHECK(throttle.delay(500, start + 2s) == 0ns);
}

TEST_CASE("a wait ends when the run is stopped", "[backup]") {
  std::stop_source source;
  source.request_stop();
  const auto before = std::chrono::steady_clock::now();
  sleep_unless_stopped(1h, source.get_token());
  CHECK(std::chrono::steady_clock::now() - before < 10min);
}

}  // namespace sealift::backup
