#include "archive/page_tree.h"

#include <algorithm>

#include "archive/limits.h"

namespace sealift::archive {

PageTree::PageTree(TreeShape shape, StorePage store)
    : shape_(shape), store_(std::move(store)), levels_(shape.depth()) {}

void PageTree::set(std::uint64_t number, const ChunkId& id) { place(1, number, id); }

// Above the last level there is only the root.
void PageTree::place(std::uint32_t level, std::uint64_t position, const ChunkId& id) {
  if (level > shape_.depth()) {
    root_ = id;
    return;
  }
  const std::uint64_t number = position / kPageFanOut;
  std::vector<ChunkId>& ids = levels_[level - 1][number];
  if (ids.empty()) ids.resize(shape_.ids_in(level, number));
  ids[position % kPageFanOut] = id;
}

base::Status PageTree::finish_below(std::uint64_t number) {
  boundary_ = std::max(boundary_, std::min(number, shape_.chunks()));
  for (std::uint32_t level = 1; level <= shape_.depth(); ++level) {
    RETURN_IF_ERROR(store_level(level));
  }
  return base::Done{};
}

base::Status PageTree::store_level(std::uint32_t level) {
  Level& pages = levels_[level - 1];
  while (!pages.empty()) {
    const auto first = pages.begin();
    const std::uint64_t number = first->first;
    const std::uint64_t end =
        std::min((number + 1) * TreeShape::span_of(level), shape_.chunks());
    if (end > boundary_) break;
    ASSIGN_OR_RETURN(const ChunkId id, store_(Page{level, std::move(first->second)}));
    pages.erase(first);
    place(level + 1, number, id);
  }
  return base::Done{};
}

base::Result<ChunkId> PageTree::finish() {
  RETURN_IF_ERROR(finish_below(shape_.chunks()));
  return root_;
}

}  // namespace sealift::archive
