// Walks a component's tree in the order of its chunks.
#pragma once

#include <optional>
#include <vector>

#include "archive/page.h"

namespace sealift::archive {

struct ChunkReference {
  std::uint64_t number = 0;
  ChunkId id;  ///< Never zero.
};

/// Holds one page a level. One thread at a time.
class PageWalk {
 public:
  PageWalk(const TreeShape& shape, const ChunkId& root, LoadPage load);

  /// The next chunk that is no hole; none after the last.
  /// errors  what LoadPage returns, with the place offset.
  base::Result<std::optional<ChunkReference>> next();

 private:
  struct Place {
    Page page;
    std::uint64_t number = 0;  ///< Of the page within its level.
    std::size_t next = 0;
  };
  base::Status enter(const ChunkId& id, std::uint32_t level, std::uint64_t number);

  TreeShape shape_;
  ChunkId root_;
  LoadPage load_;
  bool is_begun_ = false;
  std::vector<Place> places_;
};

}  // namespace sealift::archive
