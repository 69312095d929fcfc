#include "backup/throttle.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace sealift::backup {

std::chrono::nanoseconds Throttle::delay(std::uint64_t total, TimePoint now) const {
  if (!bytes_per_second_) return std::chrono::nanoseconds(0);
  const std::chrono::duration<double> due(static_cast<double>(total) /
                                          static_cast<double>(*bytes_per_second_));
  const auto left =
      start_ + std::chrono::duration_cast<std::chrono::nanoseconds>(due) - now;
  return std::max(left, std::chrono::nanoseconds(0));
}

void sleep_unless_stopped(std::chrono::nanoseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  static_cast<void>(stopped.wait_for(lock, stop, time, [] { return false; }));
}

}  // namespace sealift::backup
