#include "vm/changed_pieces.h"

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

base::Status read_changed_pieces(const std::vector<NbdReader*>& readers,
                                 std::uint64_t size, std::uint32_t piece_size,
                                 const PieceSink& sink, const Progress& progress,
                                 const std::stop_token& stop) {
  std::vector<std::unique_ptr<ChangedPieces>> pieces;
  std::vector<DiskReader*> all;
  for (NbdReader* reader : readers) {
    pieces.push_back(std::make_unique<ChangedPieces>(*reader));
    all.push_back(pieces.back().get());
  }
  return read_pieces(all, size, piece_size, sink, progress, stop);
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
