// Bytes as a page or a standard prints them.
#pragma once

#include <cctype>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace sealift::support {

/// Hexadecimal digits of either case; white space is ignored.
inline base::Bytes from_hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isspace(byte) == 0) digits += static_cast<char>(std::tolower(byte));
  }
  auto bytes = base::from_hex(digits);
  if (!bytes) throw std::invalid_argument("not hexadecimal: " + digits);
  return std::move(bytes).value();
}

}  // namespace sealift::support
