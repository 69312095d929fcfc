// The tree of a component that is stored: its ids, without the content.
#pragma once

#include <optional>
#include <vector>

#include "archive/page.h"

namespace sealift::archive {

/// What an incremental goes on from. Needs no recovery key: pages are metadata, and
/// what a disk holds now is compared by its id. Holds one page a level. Threads: one at
/// a time.
class TreeView {
 public:
  /// `ids` has the id key of the component's scope.
  TreeView(TreeShape shape, const ChunkId& root, LoadPage load,
           keyvault::HmacSha256 ids);

  const TreeShape& shape() const noexcept { return shape_; }
  const ChunkId& root() const noexcept { return root_; }
  const LoadPage& load() const noexcept { return load_; }

  /// The id of chunk `number`, below shape().chunks(); zero: a hole.
  /// errors  what LoadPage returns, with the place offset.
  base::Result<ChunkId> id_at(std::uint64_t number);

  /// The last chunk below number `below` that is no hole; none if all are.
  /// errors  as id_at().
  base::Result<std::optional<std::uint64_t>> last_data(std::uint64_t below);

  /// Whether `content`, all of a chunk's bytes, has this id; a hole's are zeros.
  bool matches(const ChunkId& id, base::ByteView content);

 private:
  base::Result<const Page*> page(const ChunkId& id, std::uint32_t level,
                                 std::uint64_t number);
  base::Result<std::optional<std::uint64_t>> last_data_of(const ChunkId& id,
                                                          std::uint32_t level,
                                                          std::uint64_t number,
                                                          std::uint64_t below);

  struct Place {
    std::uint64_t number = 0;  ///< Of the page within its level.
    Page page;
  };

  TreeShape shape_;
  ChunkId root_;
  LoadPage load_;
  keyvault::HmacSha256 ids_;
  std::vector<std::optional<Place>> places_;  ///< places_[l - 1]: of level l.
};

}  // namespace sealift::archive
