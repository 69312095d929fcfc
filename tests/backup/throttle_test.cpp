#include "backup/throttle.h"

#include "tests/support/catch.h"

namespace sealift::backup {

using namespace std::chrono_literals;

TEST_CASE("a throttle without a rate never waits", "[backup]") {
  const auto now = std::chrono::steady_clock::now();
  CHECK(Throttle(std::nullopt).spend(std::uint64_t{1} << 60, now) == 0ns);
}

TEST_CASE("a throttle waits until the bytes so far are due", "[backup]") {
  const auto start = std::chrono::steady_clock::now();
  Throttle throttle(1000);

  // The bytes of one second are there at the start.
  CHECK(throttle.spend(1000, start) == 0ns);
  CHECK(throttle.spend(500, start) == 500ms);
  CHECK(throttle.spend(500, start + 200ms) == 800ms);
  CHECK(throttle.spend(0, start + 2s) == 0ns);
}

TEST_CASE("a throttle makes up for one second at most", "[backup]") {
  const auto start = std::chrono::steady_clock::now();
  Throttle throttle(1000);
  CHECK(throttle.spend(1000, start) == 0ns);
  CHECK(throttle.spend(1500, start + 1h) == 500ms);
}

TEST_CASE("a wait ends when the run is stopped", "[backup]") {
  std::stop_source source;
  source.request_stop();
  const auto before = std::chrono::steady_clock::now();
  sleep_unless_stopped(1h, source.get_token());
  CHECK(std::chrono::steady_clock::now() - before < 10min);
}

}  // namespace sealift::backup
