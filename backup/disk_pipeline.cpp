#include "backup/disk_pipeline.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/byte_count.h"

namespace sealift::backup {

Pace::Pace(const RateLimits& limits, const archive::ArchiveWriter& archive,
           const std::stop_token& stop)
    : archive_(archive),
      stop_(stop),
      read_(limits.read),
      write_(limits.write),
      stored_(archive.counts().stored_bytes) {}

void Pace::keep(std::size_t bytes) { sleep_unless_stopped(spend(bytes), stop_); }

std::chrono::nanoseconds Pace::spend(std::size_t bytes) {
  const std::lock_guard guard(mutex_);
  const auto now = std::chrono::steady_clock::now();
  const std::uint64_t stored = archive_.counts().stored_bytes;
  const auto for_writing = write_.spend(stored - stored_, now);
  stored_ = stored;
  return std::max(read_.spend(bytes, now), for_writing);
}

DiskProgress progress_in_words(std::string name,
                               std::function<void(const std::string& words)> say) {
  return [name = std::move(name), say = std::move(say)](std::uint64_t offset,
                                                        std::uint64_t size) {
    say(name + ": " + base::ByteCount(offset).text() + " of " +
        base::ByteCount(size).text());
  };
}

base::Status store_disk(vm::DiskSource& disk, Pieces pieces,
                        archive::ComponentWriter& component, std::uint32_t chunk_size,
                        unsigned jobs, Pace& pace, const DiskProgress& progress,
                        const std::stop_token& stop) {
  const vm::PieceSink store = [&](std::uint64_t offset,
                                  base::ByteView bytes) -> base::Status {
    RETURN_IF_ERROR(component.put(offset / chunk_size, bytes));
    pace.keep(bytes.size());
    return base::Done{};
  };
  const vm::Progress advance = [&](std::uint64_t offset) -> base::Status {
    RETURN_IF_ERROR(component.finish_below(offset / chunk_size));
    if (progress) progress(offset, disk.size());
    return base::Done{};
  };
  auto status =
      pieces == Pieces::kChanged
          ? disk.changes()->read_changed(chunk_size, jobs, store, advance, stop)
          : disk.read_allocated(chunk_size, jobs, store, advance, stop);
  if (!status) return std::move(status).error().at("disk", disk.target());
  return base::Done{};
}

}  // namespace sealift::backup
