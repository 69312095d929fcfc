#include "vm/changed_pieces.h"

#include <algorithm>

namespace sealift::vm {

namespace {

// For read_pieces(): what did not change counts as hole.
class ChangedPieces final : public DiskReader {
 public:
  explicit ChangedPieces(NbdReader& reader) : reader_(reader) {}

  base::Result<std::vector<Extent>> extents(std::uint64_t offset,
                                            std::uint64_t size) override {
    return reader_.changes(offset, size);
  }
  base::Status read(std::uint64_t offset, std::span<std::byte> bytes) override {
    return reader_.read(offset, bytes);
  }

 private:
  NbdReader& reader_;
};

}  // namespace

base::Status read_changed_pieces(const std::vector<std::unique_ptr<NbdReader>>& readers,
                                 unsigned jobs, std::uint64_t size,
                                 std::uint32_t piece_size, const PieceSink& sink,
                                 const Progress& progress,
                                 const std::stop_token& stop) {
  const std::size_t count = std::min<std::size_t>(readers.size(), std::max(jobs, 1U));
  std::vector<ChangedPieces> pieces;
  pieces.reserve(count);  // They stay where they are: `used` points to them.
  std::vector<DiskReader*> used;
  used.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    used.push_back(&pieces.emplace_back(*readers[i]));
  }
  return read_pieces(used, size, piece_size, sink, progress, stop);
}

base::Result<bool> is_unchanged(NbdReader& reader, std::uint64_t offset,
                                std::uint64_t size) {
  for (const std::uint64_t end = offset + size; offset < end;) {
    ASSIGN_OR_RETURN(const std::vector<Extent> extents,
                     reader.changes(offset, end - offset));
    for (const Extent& extent : extents) {
      if (!extent.is_hole) return false;
      offset += extent.size;
    }
  }
  return true;
}

}  // namespace sealift::vm
