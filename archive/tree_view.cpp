#include "archive/tree_view.h"

#include "archive/frame_opener.h"
#include "archive/limits.h"

namespace sealift::archive {

TreeView::TreeView(TreeShape shape, const ChunkId& root, LoadPage load,
                   keyvault::HmacSha256 ids)
    : shape_(shape),
      root_(root),
      load_(std::move(load)),
      ids_(std::move(ids)),
      places_(shape.depth()) {}

base::Result<ChunkId> TreeView::id_at(std::uint64_t number) {
  ChunkId id = root_;
  for (std::uint32_t level = shape_.depth(); level > 0 && !id.is_zero(); --level) {
    const std::uint64_t page_number = number / TreeShape::span_of(level);
    std::optional<Place>& place = places_[level - 1];
    if (!place || place->number != page_number) {
      auto page = load_(id, level, shape_.ids_in(level, page_number));
      if (!page) {
        return std::move(page).error().at("offset",
                                          std::to_string(number * shape_.chunk_size()));
      }
      place = Place{page_number, std::move(page).value()};
    }
    id = place->page.ids[number / TreeShape::span_of(level - 1) % kPageFanOut];
  }
  return id;
}

base::Result<bool> TreeView::holds(std::uint64_t number, base::ByteView content) {
  ASSIGN_OR_RETURN(const ChunkId id, id_at(number));
  if (base::is_all_zero(content)) return id.is_zero();
  return chunk_id_of(ids_, FrameKind::kData, content) == id;
}

}  // namespace sealift::archive
