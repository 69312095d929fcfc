// Keeping to --read-limit and --write-limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>

namespace sealift::backup {

/// A rate, as a bucket that holds the bytes of one second: what was not used meanwhile
/// is not made up for. The clock is a parameter, so that a test can be exact.
/// Threads: one at a time.
class Throttle {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// bytes_per_second  None: never waits. At least 1.
  explicit Throttle(std::optional<std::uint64_t> bytes_per_second)
      : bytes_per_second_(bytes_per_second) {}

  /// Spends `bytes`. return  From `now` until they are due; zero or more.
  std::chrono::nanoseconds spend(std::uint64_t bytes, TimePoint now);

 private:
  std::optional<std::uint64_t> bytes_per_second_;
  TimePoint due_;  // When all is due that was spent.
};

/// Sleeps for `time`, or until `stop` is asked.
void sleep_unless_stopped(std::chrono::nanoseconds time, const std::stop_token& stop);

}  // namespace sealift::backup
