#include "archive/frame_scan.h"

#include <algorithm>

#include "archive/frame.h"
#include "archive/limits.h"
#include "archive/sums.h"
#include "archive/tar_form.h"

namespace sealift::archive {

base::Result<std::vector<ChunkLocation>> FrameScan::locate(const ChunkId& id) const {
  const std::lock_guard guard(guard_);
  if (!is_walked_) {
    places_.clear();
    RETURN_IF_ERROR(walk_all());
    is_walked_ = true;
  }
  const auto found = places_.find(id);
  if (found == places_.end()) return std::vector<ChunkLocation>();
  return found->second;
}

base::Status FrameScan::walk_all() const {
  ASSIGN_OR_RETURN(const std::vector<ObjectInfo> objects, store_->list("archives/"));
  for (const ObjectInfo& object : objects) {
    // What is not believed holds nothing for us; whoever needs it says why.
    if (!parse_volume_name(object.name) || !volumes_->get(object.name)) continue;
    RETURN_IF_ERROR(walk(object.name));
  }
  return base::Done{};
}

base::Status FrameScan::walk(const std::string& volume) const {
  std::uint64_t at = 0;
  for (std::uint32_t number = 0; number <= kMaxSegments; ++number) {
    TarHeader header{};
    RETURN_IF_ERROR(store_->read(volume, at, header));
    const auto size = claimed_tar_size(header);
    if (!size) return base::Done{};
    const std::uint64_t content = at + kTarBlock;
    at = content + tar_padded(size.value());
    if (number == 0) continue;  // header.json
    if (!std::ranges::equal(header, tar_header(segment_name(number), size.value()))) {
      return base::Done{};
    }
    RETURN_IF_ERROR(walk_segment(volume, content, content + size.value()));
  }
  return base::Done{};
}

base::Status FrameScan::walk_segment(const std::string& volume, std::uint64_t begin,
                                     std::uint64_t end) const {
  EncodedFrameHeader bytes{};
  while (begin + kFrameOverhead < end) {
    RETURN_IF_ERROR(store_->read(volume, begin, bytes));
    const auto header = decode_frame_header(bytes);
    if (!header) return base::Done{};  // Damaged: what follows cannot be found.
    const auto size = static_cast<std::uint32_t>(header.value().frame_size());
    places_[header.value().id].push_back({volume, begin, size});
    begin += size;
  }
  return base::Done{};
}

}  // namespace sealift::archive
