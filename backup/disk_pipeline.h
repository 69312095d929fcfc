// From a captured disk into the archive.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <stop_token>
#include <thread>

#include "archive/archive_writer.h"
#include "backup/throttle.h"
#include "vm/disk_source.h"

namespace sealift::backup {

/// Three for each processor: at any moment some wait for the disk and for storage, and
/// with one to spare two processors were busy for 80 % of the time
/// (docs/benchmarks.md). More than eight gain nothing: a disk is read by no more.
inline unsigned default_jobs() {
  return std::clamp(std::thread::hardware_concurrency() * 3, 2U, 8U);
}

struct PipelineLimits {
  Throttle read;
  Throttle write;
  unsigned jobs = default_jobs();
};

/// Keeps all reading of a VM's disks to the limits. Threads: any.
class Pace {
 public:
  Pace(const PipelineLimits& limits, const std::stop_token& stop)
      : limits_(limits), stop_(stop) {}

  /// After `bytes` were read: sleeps as long as the limits ask for, unless stopped.
  void keep(std::size_t bytes, const archive::ArchiveWriter& archive);

  std::uint64_t read_bytes() const { return read_bytes_; }

 private:
  const PipelineLimits& limits_;
  const std::stop_token& stop_;
  std::atomic<std::uint64_t> read_bytes_ = 0;
};

/// How far it is, for people: bytes of the disk below which all is read.
using DiskProgress = std::function<void(std::uint64_t offset, std::uint64_t size)>;

enum class Pieces {
  kAllocated,  ///< All that holds data.
  kChanged,    ///< All that changed: of a disk that has changes().
};

/// Stores the chunks of `disk` that are asked for. Each of `jobs` threads takes a chunk
/// from the disk to the archive, start to finish, so that no reply of an NBD server
/// waits.
///
/// chunk_size  Bytes; the pieces that are read.
/// errors  What the disk or the archive says; kInterrupted.
base::Status store_disk(vm::DiskSource& disk, Pieces pieces,
                        archive::ComponentWriter& component,
                        const archive::ArchiveWriter& archive, std::uint32_t chunk_size,
                        unsigned jobs, Pace& pace, const DiskProgress& progress,
                        const std::stop_token& stop);

}  // namespace sealift::backup
