#include "backup/throttle.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace sealift::backup {

std::chrono::nanoseconds Throttle::spend(std::uint64_t bytes, TimePoint now) {
  constexpr std::chrono::seconds kSaved(1);
  if (!bytes_per_second_) return std::chrono::nanoseconds(0);
  const std::chrono::duration<double> takes(static_cast<double>(bytes) /
                                            static_cast<double>(*bytes_per_second_));
  due_ = std::max(due_, now - kSaved) +
         std::chrono::duration_cast<std::chrono::nanoseconds>(takes);
  return std::max<std::chrono::nanoseconds>(due_ - now, std::chrono::nanoseconds(0));
}

void sleep_unless_stopped(std::chrono::nanoseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  static_cast<void>(stopped.wait_for(lock, stop, time, [] { return false; }));
}

}  // namespace sealift::backup
