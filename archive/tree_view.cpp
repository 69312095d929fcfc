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

base::Result<std::optional<std::uint64_t>> TreeView::last_data(std::uint64_t below) {
  if (root_.is_zero() || below == 0) return std::optional<std::uint64_t>();
  return last_data_of(root_, shape_.depth(), 0, below);
}

// Of page `number` of `level`, or that chunk itself; it begins below `below`. The pages
// above it stay loaded meanwhile.
base::Result<std::optional<std::uint64_t>> TreeView::last_data_of(const ChunkId& id,
                                                                  std::uint32_t level,
                                                                  std::uint64_t number,
                                                                  std::uint64_t below) {
  if (level == 0) return std::optional(number);
  ASSIGN_OR_RETURN(const Page* found, page(id, level, number));
  for (std::size_t i = found->ids.size(); i-- > 0;) {
    const std::uint64_t inner = number * kPageFanOut + i;
    const bool begins_below = inner * TreeShape::span_of(level - 1) < below;
    if (!begins_below || found->ids[i].is_zero()) continue;
    ASSIGN_OR_RETURN(const std::optional<std::uint64_t> last,
                     last_data_of(found->ids[i], level - 1, inner, below));
    if (last) return last;
  }
  return std::optional<std::uint64_t>();
}

bool TreeView::matches(const ChunkId& id, base::ByteView content) {
  if (base::is_all_zero(content)) return id.is_zero();
  return chunk_id_of(ids_, FrameKind::kData, content) == id;
}

}  // namespace sealift::archive
