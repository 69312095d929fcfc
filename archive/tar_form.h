// The one byte form of a volume's tar, rebuilt by readers. docs/format/volume.md.
#pragma once

#include <array>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::archive {

constexpr std::size_t kTarBlock = 512;
/// Two zero blocks.
constexpr std::size_t kTarEndSize = 2 * kTarBlock;

using TarHeader = std::array<std::byte, kTarBlock>;

/// The header block of a member. `name` is 1 to 99 bytes, `size` below 8 GiB.
TarHeader tar_header(std::string_view name, std::uint64_t size);

/// The size that a header block claims.
/// errors  kCorrupt, rule V6: not 11 octal digits and a blank.
base::Result<std::uint64_t> claimed_tar_size(base::ByteView header);

/// Zero bytes after `size` bytes of content.
constexpr std::uint64_t tar_padding(std::uint64_t size) {
  return (kTarBlock - size % kTarBlock) % kTarBlock;
}

/// Content and padding.
constexpr std::uint64_t tar_padded(std::uint64_t size) {
  return size + tar_padding(size);
}

/// Rule V6: `header` is exactly the header block of that member.
/// errors  kCorrupt; place member.
base::Status check_tar_header(base::ByteView header, std::string_view name,
                              std::uint64_t size);

/// Rule V6: `block` is exactly header, content and padding of that member.
/// errors  kCorrupt; place member.
base::Status check_tar_member(base::ByteView block, std::string_view name,
                              std::uint64_t size);

}  // namespace sealift::archive
