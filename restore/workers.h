// How many threads work at once.
#pragma once

#include <algorithm>
#include <thread>

namespace sealift::restore {

/// Two more than there are processors: while some wait for storage, others compute.
/// Each holds up to 12 MiB.
inline unsigned worker_count() {
  return std::clamp(std::thread::hardware_concurrency() + 2, 3U, 12U);
}

}  // namespace sealift::restore
