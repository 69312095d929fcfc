// How many threads work at once.
#pragma once

#include <algorithm>
#include <thread>

namespace sealift::restore {

/// As many as there are processors, but two at least: one computes while another waits
/// for the disk.
inline unsigned worker_count() {
  return std::clamp(std::thread::hardware_concurrency(), 2U, 16U);
}

}  // namespace sealift::restore
