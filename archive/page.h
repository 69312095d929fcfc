// A page of chunk ids, and the shape of a component's tree. docs/format/page.md.
#pragma once

#include <functional>
#include <vector>

#include "archive/ids.h"
#include "base/bytes.h"
#include "base/result.h"

namespace sealift::archive {

/// What a component's size and the chunk size make of its tree; page.md, section 3.
class TreeShape {
 public:
  /// `chunk_size` is a power of two, `size` up to kMaxComponentSize.
  TreeShape(std::uint64_t size, std::uint32_t chunk_size);

  std::uint64_t size() const noexcept { return size_; }
  std::uint32_t chunk_size() const noexcept { return chunk_size_; }
  std::uint64_t chunks() const noexcept { return chunks_; }
  /// Levels of pages; 0: the root is the only chunk.
  std::uint32_t depth() const noexcept { return depth_; }

  /// How many chunks a whole page of `level` stands for: 256^level.
  static std::uint64_t span_of(std::uint32_t level);
  /// How many ids page `page` of `level` (1 to depth) has.
  std::uint32_t ids_in(std::uint32_t level, std::uint64_t page) const;
  /// How many bytes chunk `number` has.
  std::uint32_t bytes_in(std::uint64_t number) const;

 private:
  std::uint64_t size_;
  std::uint32_t chunk_size_;
  std::uint64_t chunks_;
  std::uint32_t depth_ = 0;
};

struct Page {
  std::uint32_t level = 1;
  std::vector<ChunkId> ids;  ///< All zero: a hole.

  friend bool operator==(const Page&, const Page&) = default;
};

/// Opens the page of `id`, which is of `level` and has `ids` ids.
using LoadPage = std::function<base::Result<Page>(
    const ChunkId& id, std::uint32_t level, std::uint32_t ids)>;

/// `page` has 1 to 256 ids and one that is not zero.
base::Bytes encode(const Page& page);

/// Rules P1 to P3. errors  kCorrupt.
base::Result<Page> decode_page(base::ByteView bytes, std::uint32_t level,
                               std::uint32_t ids);

}  // namespace sealift::archive
