#include "base/bytes.h"

#include <cassert>
#include <cstring>

namespace sealift::base {

namespace {

template <typename Integer>
Integer read_be(ByteView bytes, std::size_t offset) {
  assert(offset + sizeof(Integer) <= bytes.size());
  Integer value = 0;
  for (const std::byte byte : bytes.subspan(offset, sizeof(Integer))) {
    value = static_cast<Integer>((value << 8U) | std::to_integer<Integer>(byte));
  }
  return value;
}

template <typename Integer>
Integer read_le(ByteView bytes, std::size_t offset) {
  assert(offset + sizeof(Integer) <= bytes.size());
  Integer value = 0;
  for (std::size_t i = sizeof(Integer); i-- > 0;) {
    value = static_cast<Integer>((value << 8U) |
                                 std::to_integer<Integer>(bytes[offset + i]));
  }
  return value;
}

template <typename Integer>
void write_be(std::span<std::byte> bytes, std::size_t offset, Integer value) {
  assert(offset + sizeof(Integer) <= bytes.size());
  for (std::size_t i = sizeof(Integer); i-- > 0;) {
    bytes[offset + i] = static_cast<std::byte>(value & 0xffU);
    value = static_cast<Integer>(value >> 8U);
  }
}

int digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

}  // namespace

std::string to_hex(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<std::size_t>(byte >> 4)];
    text += kDigits[std::to_integer<std::size_t>(byte & std::byte{0x0f})];
  }
  return text;
}

Result<Bytes> from_hex(std::string_view text) {
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = digit_value(text[i]);
    const int low = digit_value(text[i + 1]);
    if (high < 0 || low < 0) break;
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
  }
  if (bytes.size() * 2 != text.size()) {
    return Error(ErrorCode::kUsage,
                 "not an even count of lower-case hexadecimal digits")
        .at("text", text);
  }
  return bytes;
}

std::uint16_t read_le16(ByteView bytes, std::size_t offset) {
  return read_le<std::uint16_t>(bytes, offset);
}

std::uint32_t read_le32(ByteView bytes, std::size_t offset) {
  return read_le<std::uint32_t>(bytes, offset);
}

std::uint64_t read_le64(ByteView bytes, std::size_t offset) {
  return read_le<std::uint64_t>(bytes, offset);
}

std::uint16_t read_be16(ByteView bytes, std::size_t offset) {
  return read_be<std::uint16_t>(bytes, offset);
}
std::uint32_t read_be32(ByteView bytes, std::size_t offset) {
  return read_be<std::uint32_t>(bytes, offset);
}
std::uint64_t read_be64(ByteView bytes, std::size_t offset) {
  return read_be<std::uint64_t>(bytes, offset);
}
void write_be16(std::span<std::byte> bytes, std::size_t offset, std::uint16_t value) {
  write_be(bytes, offset, value);
}
void write_be32(std::span<std::byte> bytes, std::size_t offset, std::uint32_t value) {
  write_be(bytes, offset, value);
}
void write_be64(std::span<std::byte> bytes, std::size_t offset, std::uint64_t value) {
  write_be(bytes, offset, value);
}

bool is_all_zero(ByteView bytes) {
  // Comparing the bytes with themselves one further lets memcmp's vector code do it.
  return bytes.empty() ||
         (bytes.front() == std::byte{0} &&
          std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace sealift::base
