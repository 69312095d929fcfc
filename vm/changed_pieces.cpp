#include "vm/changed_pieces.h"

#include <algorithm>
#include <functional>

#include "base/byte_count.h"

namespace sealift::vm {

namespace {

constexpr std::uint64_t kWindow = base::kGiB;

using Extents = base::Result<std::vector<Extent>>;

// For read_pieces(): reads with one reader what `wanted` says; the rest counts as hole.
class WantedPieces final : public DiskReader {
 public:
  using ExtentsOf = std::function<Extents(std::uint64_t offset, std::uint64_t size)>;

  WantedPieces(NbdReader& reader, const ExtentsOf& wanted)
      : reader_(reader), wanted_(wanted) {}

  Extents extents(std::uint64_t offset, std::uint64_t size) override {
    return wanted_(offset, size);
  }
  base::Status read(std::uint64_t offset, std::span<std::byte> bytes) override {
    return reader_.read(offset, bytes);
  }

 private:
  NbdReader& reader_;
  const ExtentsOf& wanted_;
};

base::Status read_wanted(const std::vector<NbdReader*>& readers,
                         const WantedPieces::ExtentsOf& wanted, unsigned jobs,
                         std::uint64_t size, std::uint32_t piece_size,
                         const PieceSink& sink, const Progress& progress,
                         const std::stop_token& stop) {
  const std::size_t count = std::min<std::size_t>(readers.size(), std::max(jobs, 1U));
  std::vector<WantedPieces> pieces;
  pieces.reserve(count);  // They stay where they are: `used` points to them.
  std::vector<DiskReader*> used;
  used.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    used.push_back(&pieces.emplace_back(*readers[i], wanted));
  }
  return read_pieces(used, size, piece_size, sink, progress, stop);
}

}  // namespace

base::Status read_changed_pieces(const std::vector<NbdReader*>& readers,
                                 NbdReader& changes, unsigned jobs, std::uint64_t size,
                                 std::uint32_t piece_size, const PieceSink& sink,
                                 const Progress& progress,
                                 const std::stop_token& stop) {
  // read_pieces() asks from one thread at a time.
  const auto changed = [&](std::uint64_t offset, std::uint64_t limit) {
    return changes.changes(offset, limit);
  };
  return read_wanted(readers, changed, jobs, size, piece_size, sink, progress, stop);
}

base::Status read_picked_pieces(const std::vector<NbdReader*>& readers, unsigned jobs,
                                std::uint64_t size, std::uint32_t piece_size,
                                const std::vector<std::uint64_t>& numbers,
                                const PieceSink& sink, const std::stop_token& stop) {
  const auto picked = [&](std::uint64_t offset, std::uint64_t limit) -> Extents {
    const auto next = std::ranges::lower_bound(numbers, offset / piece_size);
    if (next == numbers.end()) return std::vector<Extent>{{limit, true}};
    const std::uint64_t begin = *next * piece_size;
    if (begin > offset) {
      return std::vector<Extent>{{std::min(limit, begin - offset), true}};
    }
    return std::vector<Extent>{{std::min(limit, begin + piece_size - offset), false}};
  };
  return read_wanted(readers, picked, jobs, size, piece_size, sink, nullptr, stop);
}

base::Result<bool> ChangeWindow::is_unchanged(std::uint64_t offset,
                                              std::uint64_t size) {
  if (offset < begin_ || offset + size > end_) {
    RETURN_IF_ERROR(look_from(offset / kWindow * kWindow));
  }
  if (offset + size > end_) {
    return base::Error(base::ErrorCode::kDefect, "a piece is no larger than a window");
  }
  const auto next = std::ranges::partition_point(
      changed_, [offset](const Run& run) { return run.end <= offset; });
  return next == changed_.end() || next->begin >= offset + size;
}

base::Status ChangeWindow::look_from(std::uint64_t offset) {
  begin_ = end_ = offset;
  changed_.clear();
  const std::uint64_t limit =
      offset + std::min(kWindow, changes_->size() - std::min(offset, changes_->size()));
  while (end_ < limit) {
    ASSIGN_OR_RETURN(const std::vector<Extent> extents,
                     changes_->changes(end_, limit - end_));
    for (const Extent& extent : extents) {
      if (!extent.is_hole) changed_.push_back({end_, end_ + extent.size});
      end_ += extent.size;
    }
  }
  return base::Done{};
}

}  // namespace sealift::vm
