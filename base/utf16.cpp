#include "base/utf16.h"

namespace sealift::base {

namespace {

Error broken() { return {ErrorCode::kCorrupt, "the text is not UTF-16"}; }

void append_utf8(std::string& text, std::uint32_t point) {
  const auto add = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto tail = [point](unsigned shift) {
    return 0x80U | ((point >> shift) & 0x3fU);
  };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xc0U | (point >> 6U));
    add(tail(0));
  } else if (point < 0x10000) {
    add(0xe0U | (point >> 12U));
    add(tail(6));
    add(tail(0));
  } else {
    add(0xf0U | (point >> 18U));
    add(tail(12));
    add(tail(6));
    add(tail(0));
  }
}

constexpr bool is_high_surrogate(std::uint32_t unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}
constexpr bool is_low_surrogate(std::uint32_t unit) {
  return unit >= 0xdc00 && unit < 0xe000;
}

}  // namespace

Result<std::string> utf8_of_utf16(ByteView bytes, std::endian order) {
  if (bytes.size() % 2 != 0) return broken();
  const auto unit_at = [&](std::size_t at) {
    const std::uint32_t value = read_be16(bytes, at);
    return order == std::endian::big ? value : ((value & 0xffU) << 8U) | (value >> 8U);
  };
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    const std::uint32_t unit = unit_at(at);
    if (is_low_surrogate(unit)) return broken();
    if (!is_high_surrogate(unit)) {
      append_utf8(text, unit);
      continue;
    }
    at += 2;
    if (at >= bytes.size() || !is_low_surrogate(unit_at(at))) return broken();
    append_utf8(text, 0x10000 + ((unit - 0xd800) << 10U) + (unit_at(at) - 0xdc00));
  }
  return text;
}

}  // namespace sealift::base
