#include "base/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace sealift::base {

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

Error not_base64() { return {ErrorCode::kCorrupt, "the text is not base64"}; }

std::string_view without_padding(std::string_view text) {
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

std::string to_base64(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const ByteView group = bytes.subspan(i, std::min<std::size_t>(3, bytes.size() - i));
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

std::size_t decoded_base64_size(std::string_view text) {
  return without_padding(text).size() * 3 / 4;
}

Status decode_base64(std::string_view text, std::span<std::byte> bytes) {
  const std::string_view digits = without_padding(text);
  if (text.size() % 4 != 0 || bytes.size() != digits.size() * 3 / 4) {
    return not_base64();
  }
  std::uint32_t pending = 0;
  unsigned pending_bits = 0;
  std::size_t written = 0;
  for (const char digit : digits) {
    const std::uint8_t value = kValues[static_cast<unsigned char>(digit)];
    if (value == kNoDigit) return not_base64();
    pending = (pending << 6U) | value;
    pending_bits += 6;
    if (pending_bits < 8) continue;
    pending_bits -= 8;
    bytes[written++] = static_cast<std::byte>((pending >> pending_bits) & 0xffU);
  }
  // Bits that no byte shows are zero, or two texts would mean the same bytes.
  if ((pending & ((1U << pending_bits) - 1U)) != 0) return not_base64();
  return Done{};
}

Result<Bytes> from_base64(std::string_view text) {
  Bytes bytes(decoded_base64_size(text));
  RETURN_IF_ERROR(decode_base64(text, bytes));
  return bytes;
}

}  // namespace sealift::base
