// Bytes as the whole project passes them, and their hexadecimal text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sealift::base {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// The bytes of `text`; valid as long as `text` is.
inline ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// `bytes` seen as text; valid as long as `bytes` are.
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower case, two digits a byte.
std::string to_hex(ByteView bytes);

/// errors  kUsage: an odd count, or anything but the digits 0-9 and a-f.
Result<Bytes> from_hex(std::string_view text);

/// Big-endian integers, as every structure that this project stores has them. `bytes`
/// holds at least offset + sizeof(value) bytes: the caller has checked.
std::uint16_t read_be16(ByteView bytes, std::size_t offset);
std::uint32_t read_be32(ByteView bytes, std::size_t offset);
std::uint64_t read_be64(ByteView bytes, std::size_t offset);
void write_be16(std::span<std::byte> bytes, std::size_t offset, std::uint16_t value);
void write_be32(std::span<std::byte> bytes, std::size_t offset, std::uint32_t value);
void write_be64(std::span<std::byte> bytes, std::size_t offset, std::uint64_t value);

/// Little-endian ones, as Microsoft's formats have them; the caller has checked, too.
std::uint16_t read_le16(ByteView bytes, std::size_t offset);
std::uint32_t read_le32(ByteView bytes, std::size_t offset);
std::uint64_t read_le64(ByteView bytes, std::size_t offset);

/// Whether every byte is zero; true for none.
bool is_all_zero(ByteView bytes);

}  // namespace sealift::base
