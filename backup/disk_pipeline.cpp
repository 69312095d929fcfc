#include "backup/disk_pipeline.h"

#include <algorithm>
#include <chrono>

namespace sealift::backup {

void Pace::keep(std::size_t bytes, const archive::ArchiveWriter& archive) {
  const std::uint64_t total = read_bytes_.fetch_add(bytes) + bytes;
  const auto now = std::chrono::steady_clock::now();
  sleep_unless_stopped(
      std::max(limits_.read.delay(total, now),
               limits_.write.delay(archive.counts().stored_bytes, now)),
      stop_);
}

base::Status store_disk(vm::DiskSource& disk, Pieces pieces,
                        archive::ComponentWriter& component,
                        const archive::ArchiveWriter& archive, std::uint32_t chunk_size,
                        unsigned jobs, Pace& pace, const DiskProgress& progress,
                        const std::stop_token& stop) {
  const vm::PieceSink store = [&](std::uint64_t offset,
                                  base::ByteView bytes) -> base::Status {
    RETURN_IF_ERROR(component.put(offset / chunk_size, bytes));
    pace.keep(bytes.size(), archive);
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
