// Builds a component's tree of pages while its chunks come in.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "archive/page.h"

namespace sealift::archive {

/// A tree of the same shape that another goes on from: what is not set anew stays.
struct TreeBase {
  ChunkId root;
  LoadPage load;  ///< Empty: from nothing, all holes.
};

/// Holds only pages that can still change: those above the boundary that finish_below()
/// moves, one page a level below it. Holes cost nothing. One thread at a time.
class PageTree {
 public:
  /// Stores one page and returns its id.
  using StorePage = std::function<base::Result<ChunkId>(const Page&)>;

  PageTree(TreeShape shape, StorePage store, TreeBase base = {});

  const TreeShape& shape() const noexcept { return shape_; }

  /// `id` is chunk `number`, which is not below the boundary, below shape().chunks(),
  /// and set once. Zero: it is a hole now.
  /// errors  what the base's LoadPage returns.
  base::Status set(std::uint64_t number, const ChunkId& id);

  /// Stores and forgets what lies wholly below chunk `number`.
  /// errors  what StorePage returns.
  base::Status finish_below(std::uint64_t number);
  std::uint64_t boundary() const noexcept { return boundary_; }

  /// Stores the rest. return  the root; zero if all is a hole.
  base::Result<ChunkId> finish();

 private:
  using Level = std::map<std::uint64_t, std::vector<ChunkId>>;
  base::Result<std::vector<ChunkId>*> page(std::uint32_t level, std::uint64_t number);
  base::Status place(std::uint32_t level, std::uint64_t position, const ChunkId& id);
  base::Status store_level(std::uint32_t level);

  TreeShape shape_;
  StorePage store_;
  TreeBase base_;
  std::uint64_t boundary_ = 0;
  std::vector<Level> levels_;  ///< levels_[l - 1]: pages of level l by number.
  ChunkId root_;
};

}  // namespace sealift::archive
