#include "keyvault/base64url.h"

namespace sealift::keyvault {

namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr char kPadding = '=';

base::Error broken() {
  return {base::ErrorCode::kCorrupt, "not base64 for URLs with padding"};
}

}  // namespace

std::string to_base64url(base::ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (; !bytes.empty();
       bytes = bytes.subspan(std::min<std::size_t>(3, bytes.size()))) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size());
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group =
          (group << 8U) | (i < count ? std::to_integer<std::uint32_t>(bytes[i]) : 0);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= count ? kDigits[(group >> (18U - 6U * i)) & 0x3fU] : kPadding;
    }
  }
  return text;
}

base::Result<base::Bytes> from_base64url(std::string_view text) {
  base::Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  std::size_t digits = 0;   // In this group, padding included.
  std::size_t padding = 0;  // In this group, the last one.
  for (const char c : text) {
    if (c == '\r' || c == '\n') continue;
    if (padding > 0 && digits == 0) return broken();  // Something follows the end.
    std::size_t value = 0;
    if (c == kPadding) {
      if (digits < 2) return broken();
      ++padding;
    } else {
      value = kDigits.find(c);
      if (value == std::string_view::npos || padding > 0) return broken();
    }
    group = (group << 6U) | static_cast<std::uint32_t>(value);
    if (++digits < 4) continue;
    for (std::size_t i = 0; i < 3 - padding; ++i) {
      bytes.push_back(static_cast<std::byte>((group >> (16U - 8U * i)) & 0xffU));
    }
    // The bits under the padding are zero, or two texts would mean the same bytes.
    if (padding > 0 && (group & ((1U << (8U * padding)) - 1U)) != 0) return broken();
    group = 0;
    digits = 0;
  }
  if (digits != 0) return broken();
  return bytes;
}

}  // namespace sealift::keyvault
