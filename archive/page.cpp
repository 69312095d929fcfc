#include "archive/page.h"

#include <algorithm>

#include "archive/limits.h"
#include "archive/rule.h"

namespace sealift::archive {

TreeShape::TreeShape(std::uint64_t size, std::uint32_t chunk_size)
    : size_(size),
      chunk_size_(chunk_size),
      chunks_(size / chunk_size + (size % chunk_size == 0 ? 0 : 1)) {
  while (span_of(depth_) < chunks_) ++depth_;
}

std::uint64_t TreeShape::span_of(std::uint32_t level) {
  return std::uint64_t{1} << (8U * level);
}

std::uint32_t TreeShape::ids_in(std::uint32_t level, std::uint64_t page) const {
  const std::uint64_t first = page * span_of(level);
  const std::uint64_t end = std::min(first + span_of(level), chunks_);
  const std::uint64_t child = span_of(level - 1);
  return static_cast<std::uint32_t>((end - first + child - 1) / child);
}

std::uint32_t TreeShape::bytes_in(std::uint64_t number) const {
  const std::uint64_t left = size_ - number * chunk_size_;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(left, chunk_size_));
}

base::Bytes encode(const Page& page) {
  base::Bytes bytes;
  bytes.reserve(1 + page.ids.size() * ChunkId::kSize);
  bytes.push_back(static_cast<std::byte>(page.level));
  for (const ChunkId& id : page.ids) {
    bytes.insert(bytes.end(), id.bytes().begin(), id.bytes().end());
  }
  return bytes;
}

base::Result<Page> decode_page(base::ByteView bytes, std::uint32_t level,
                               std::uint32_t ids) {
  if (bytes.size() != 1 + std::size_t{ids} * ChunkId::kSize) {
    return broken("P1", "a page does not have as many ids as it must");
  }
  if (std::to_integer<std::uint32_t>(bytes.front()) != level) {
    return broken("P2", "a page is of another level than it must be");
  }
  Page page;
  page.level = level;
  page.ids.reserve(ids);
  for (std::size_t at = 1; at < bytes.size(); at += ChunkId::kSize) {
    page.ids.push_back(ChunkId::from(bytes.subspan(at, ChunkId::kSize)));
  }
  if (std::ranges::all_of(page.ids, &ChunkId::is_zero)) {
    return broken("P3", "a page of holes only is stored");
  }
  return page;
}

}  // namespace sealift::archive
