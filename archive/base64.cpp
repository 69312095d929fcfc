#include "archive/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace sealift::archive {

namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoDigit = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

base::Error not_base64() {
  return {base::ErrorCode::kCorrupt, "the text is not base64"};
}

}  // namespace

std::string to_base64(base::ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const base::ByteView group =
        bytes.subspan(i, std::min<std::size_t>(3, bytes.size() - i));
    std::uint32_t bits = 0;
    for (std::size_t at = 0; at < 3; ++at) {
      bits = (bits << 8U) |
             (at < group.size() ? std::to_integer<std::uint32_t>(group[at]) : 0U);
    }
    for (std::size_t digit = 0; digit < 4; ++digit) {
      text +=
          digit <= group.size() ? kDigits[(bits >> (18U - 6U * digit)) & 0x3fU] : '=';
    }
  }
  return text;
}

base::Result<base::Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return not_base64();
  base::Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint8_t value = kValues[static_cast<unsigned char>(text[i])];
    const bool is_padding = i >= text.size() - padding;
    if (value == kNoDigit && !is_padding) return not_base64();
    bits = (bits << 6U) | (is_padding ? 0U : value);
    if (i % 4 != 3) continue;
    for (const unsigned shift : {16U, 8U, 0U}) {
      bytes.push_back(static_cast<std::byte>((bits >> shift) & 0xffU));
    }
    bits = 0;
  }
  bytes.resize(bytes.size() - padding);
  // The digits before the padding may hold bits that no byte shows: one form only.
  if (to_base64(bytes) != text) return not_base64();
  return bytes;
}

}  // namespace sealift::archive
