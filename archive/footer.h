// The last member of a volume: its format, and the sizes from which every offset of its
// tail follows. docs/format/volume.md, section 4.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "archive/tar_form.h"

namespace sealift::archive {

constexpr std::size_t kFooterSize = 512;
/// Header block, content and end of the tar.
constexpr std::size_t kFooterReach = kTarBlock + kFooterSize + kTarEndSize;

struct Footer {
  std::uint64_t length = 0;  ///< Of the volume.
  std::uint64_t tail = 0;    ///< Where the header block of `index` is.
  std::uint32_t header_size = 0;
  std::uint32_t index_size = 0;
  std::uint32_t manifest_size = 0;  ///< 0: this volume holds no snapshot.
  std::uint32_t snapshot_size = 0;
  std::uint32_t sums_size = 0;
  std::vector<std::uint32_t> key_sizes;  ///< Of each protection-key member.

  bool has_snapshot() const noexcept { return manifest_size != 0; }
  friend bool operator==(const Footer&, const Footer&) = default;
};

using EncodedFooter = std::array<std::byte, kFooterSize>;
EncodedFooter encode(const Footer& footer);

/// Rules V2 to V4 for the footer of a volume of `length` bytes.
/// errors  kCorrupt, kUnsupported.
base::Result<Footer> decode_footer(base::ByteView bytes, std::uint64_t length);

struct TailMember {
  std::string name;
  std::uint64_t offset = 0;  ///< Of its header block.
  std::uint64_t size = 0;    ///< Of its content.
};

/// `index` to `SHA256SUMS.sig`, in order.
std::vector<TailMember> tail_members(const Footer& footer);

/// Where the member after `last` would begin.
std::uint64_t end_of(const TailMember& last);

}  // namespace sealift::archive
