// The segments of a volume: where they lie, and whether they are what was signed.
// docs/format/volume.md.
#pragma once

#include <string>
#include <vector>

#include "archive/object_store.h"
#include "archive/tar_form.h"
#include "archive/volume_tail.h"

namespace sealift::archive {

struct Segment {
  std::uint64_t begin = 0;  ///< Of its header block, in bytes from the volume's start.
  std::uint32_t size = 0;   ///< Of its content, which follows that block.
  MemberSum sum;

  std::uint64_t content_begin() const noexcept { return begin + kTarBlock; }
  std::uint64_t content_end() const noexcept { return content_begin() + size; }
};

/// In order, by their header blocks; nothing of their content is read.
/// errors  kCorrupt, rules V6 and V13; place member.  What the store says.
base::Result<std::vector<Segment>> list_segments(const ObjectReader& store,
                                                 const std::string& volume,
                                                 const VolumeTail& tail);

/// The content, inside `buffer`, after the whole member was read once and checked.
/// errors  kCorrupt, rules V6 and V8; place member.  What the store says.
base::Result<base::ByteView> read_segment(const ObjectReader& store,
                                          const std::string& volume,
                                          const Segment& segment, base::Bytes& buffer);

}  // namespace sealift::archive
