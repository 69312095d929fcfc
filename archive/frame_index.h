// The index of a volume: where its frames lie. docs/format/index.md.
#pragma once

#include <vector>

#include "archive/frame.h"
#include "archive/volume.h"

namespace sealift::archive {

/// Of a frame with that header, sealed by the `key`th of its volume's keys.
IndexEntry entry_of(const FrameHeader& header, std::uint32_t key, std::uint64_t offset);

/// 1 to kMaxIndexEntriesInFrame entries, or none for a volume without frames.
base::Bytes encode_index_entries(std::span<const IndexEntry> entries);

/// What an index may claim.
struct IndexBounds {
  const std::vector<FrameKey>& keys;
  std::uint64_t begin = 0;  ///< No frame before this,
  std::uint64_t end = 0;    ///< none reaches beyond this.
};

/// Rules I2 to I6; `bounds.begin` is where the entry before these ended.
/// errors  kCorrupt.
base::Result<std::vector<IndexEntry>> decode_index_entries(base::ByteView bytes,
                                                           const IndexBounds& bounds);

}  // namespace sealift::archive
