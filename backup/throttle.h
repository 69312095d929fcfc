// Keeping to --read-limit and --write-limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>

namespace sealift::backup {

/// Says how long to wait so that `total` bytes in all stay within a rate. The clock is
/// a parameter, so that a test can be exact. Threads: immutable; any thread.
class Throttle {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// bytes_per_second  None: never waits. At least 1.
  Throttle(std::optional<std::uint64_t> bytes_per_second, TimePoint start)
      : bytes_per_second_(bytes_per_second), start_(start) {}

  /// From `now` until `total` bytes since the start are due; zero or more.
  std::chrono::nanoseconds delay(std::uint64_t total, TimePoint now) const;

 private:
  std::optional<std::uint64_t> bytes_per_second_;
  TimePoint start_;
};

/// Sleeps for `time`, or until `stop` is asked.
void sleep_unless_stopped(std::chrono::nanoseconds time, const std::stop_token& stop);

}  // namespace sealift::backup
