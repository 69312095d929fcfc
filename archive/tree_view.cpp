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

base::Result<const Page*> TreeView::page(const ChunkId& id, std::uint32_t level,
                                         std::uint64_t number) {
  std::optional<Place>& place = places_[level - 1];
  if (!place || place->number != number) {
    auto loaded = load_(id, level, shape_.ids_in(level, number));
    if (!loaded) {
      const std::uint64_t first = number * TreeShape::span_of(level);
      return std::move(loaded).error().at("offset",
                                          std::to_string(first * shape_.chunk_size()));
    }
    place = Place{number, std::move(loaded).value()};
  }
  return &place->page;
}

base::Result<ChunkId> TreeView::id_at(std::uint64_t number) {
  ChunkId id = root_;
  for (std::uint32_t level = shape_.depth(); level > 0 && !id.is_zero(); --level) {
    ASSIGN_OR_RETURN(const Page* found,
                     page(id, level, number / TreeShape::span_of(level)));
    id = found->ids[number / TreeShape::span_of(level - 1) % kPageFanOut];
  }
  return id;
}

base::Result<std::optional<std::uint64_t>> TreeView::last_data() {
  if (root_.is_zero()) return std::optional<std::uint64_t>();
  ChunkId id = root_;
  std::uint64_t number = 0;  // Of the page, then of the chunk, within its level.
  for (std::uint32_t level = shape_.depth(); level > 0; --level) {
    ASSIGN_OR_RETURN(const Page* found, page(id, level, number));
    std::size_t last = found->ids.size() - 1;
    while (last > 0 && found->ids[last].is_zero()) --last;  // A page has one at least.
    id = found->ids[last];
    number = number * kPageFanOut + last;
  }
  return std::optional(number);
}

bool TreeView::matches(const ChunkId& id, base::ByteView content) {
  if (base::is_all_zero(content)) return id.is_zero();
  return chunk_id_of(ids_, FrameKind::kData, content) == id;
}

}  // namespace sealift::archive
