#include "archive/page_tree.h"

#include <algorithm>

#include "archive/limits.h"

namespace sealift::archive {

PageTree::PageTree(TreeShape shape, StorePage store, TreeBase base)
    : shape_(shape),
      store_(std::move(store)),
      base_(std::move(base)),
      levels_(shape.depth()),
      root_(base_.root) {}

base::Status PageTree::set(std::uint64_t number, const ChunkId& id) {
  return place(1, number, id);
}

// As the base has it, or all holes. Pages above it are those of the base still where it
// stands: a page's place is set when the page is stored, and then it is gone for good.
base::Result<std::vector<ChunkId>*> PageTree::page(std::uint32_t level,
                                                   std::uint64_t number) {
  Level& pages = levels_[level - 1];
  const auto found = pages.find(number);
  if (found != pages.end()) return &found->second;
  const std::uint32_t size = shape_.ids_in(level, number);
  std::vector<ChunkId> ids(size);
  if (base_.load) {
    ChunkId id = base_.root;
    if (level < shape_.depth()) {
      ASSIGN_OR_RETURN(const auto* above, page(level + 1, number / kPageFanOut));
      id = (*above)[number % kPageFanOut];
    }
    if (!id.is_zero()) {
      ASSIGN_OR_RETURN(Page loaded, base_.load(id, level, size));
      ids = std::move(loaded.ids);
    }
  }
  return &pages.emplace(number, std::move(ids)).first->second;
}

// Above the last level there is only the root.
base::Status PageTree::place(std::uint32_t level, std::uint64_t position,
                             const ChunkId& id) {
  if (level > shape_.depth()) {
    root_ = id;
    return base::Done{};
  }
  ASSIGN_OR_RETURN(auto* ids, page(level, position / kPageFanOut));
  (*ids)[position % kPageFanOut] = id;
  return base::Done{};
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
    ChunkId id;  // Zero: what is all holes has no page.
    if (!std::ranges::all_of(first->second, &ChunkId::is_zero)) {
      ASSIGN_OR_RETURN(id, store_(Page{level, std::move(first->second)}));
    }
    pages.erase(first);
    RETURN_IF_ERROR(place(level + 1, number, id));
  }
  return base::Done{};
}

base::Result<ChunkId> PageTree::finish() {
  RETURN_IF_ERROR(finish_below(shape_.chunks()));
  return root_;
}

}  // namespace sealift::archive
