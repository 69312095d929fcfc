#include "archive/page_walk.h"

#include "archive/limits.h"

namespace sealift::archive {

PageWalk::PageWalk(const TreeShape& shape, const ChunkId& root, LoadPage load)
    : shape_(shape), root_(root), load_(std::move(load)) {}

base::Status PageWalk::enter(const ChunkId& id, std::uint32_t level,
                             std::uint64_t number) {
  auto page = load_(id, level, shape_.ids_in(level, number));
  if (!page) {
    const std::uint64_t first = number * TreeShape::span_of(level);
    return std::move(page).error().at("offset",
                                      std::to_string(first * shape_.chunk_size()));
  }
  places_.push_back({std::move(page).value(), number, 0});
  return base::Done{};
}

base::Result<std::optional<ChunkReference>> PageWalk::next() {
  using Next = std::optional<ChunkReference>;
  if (!is_begun_) {
    is_begun_ = true;
    if (root_.is_zero()) return Next();
    if (shape_.depth() == 0) return Next({0, root_});
    RETURN_IF_ERROR(enter(root_, shape_.depth(), 0));
  }
  while (!places_.empty()) {
    Place& place = places_.back();
    if (place.next == place.page.ids.size()) {
      places_.pop_back();
      continue;
    }
    const std::uint64_t child = place.number * kPageFanOut + place.next;
    const ChunkId id = place.page.ids[place.next++];
    if (id.is_zero()) continue;
    if (place.page.level == 1) return Next({child, id});
    RETURN_IF_ERROR(enter(id, place.page.level - 1, child));
  }
  return Next();
}

}  // namespace sealift::archive
