// From a captured disk into the archive.
#pragma once

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
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

/// Bytes a second; none: as fast as it goes.
struct RateLimits {
  std::optional<std::uint64_t> read;
  std::optional<std::uint64_t> write;  ///< Of what is stored, after compression.
};

/// Keeps all reading and storing of one VM to its limits. Threads: any.
class Pace {
 public:
  /// What `archive` has stored by now is not counted. Both outlive this.
  Pace(const RateLimits& limits, const archive::ArchiveWriter& archive,
       const std::stop_token& stop);

  /// After `bytes` were read: sleeps as long as the limits ask for, unless stopped.
  void keep(std::size_t bytes);

 private:
  std::chrono::nanoseconds spend(std::size_t bytes);

  const archive::ArchiveWriter& archive_;
  const std::stop_token& stop_;
  std::mutex mutex_;  // Guards all that follows.
  Throttle read_;
  Throttle write_;
  std::uint64_t stored_;  // By the archive, as far as write_ knows.
};

/// How far it is, for people: bytes of the disk below which all is read.
using DiskProgress = std::function<void(std::uint64_t offset, std::uint64_t size)>;

/// Says "vda: 1.2 GiB of 4.0 GiB" of `name`.
DiskProgress progress_in_words(std::string name,
                               std::function<void(const std::string& words)> say);

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
                        archive::ComponentWriter& component, std::uint32_t chunk_size,
                        unsigned jobs, Pace& pace, const DiskProgress& progress,
                        const std::stop_token& stop);

}  // namespace sealift::backup
