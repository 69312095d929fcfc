#include "keyvault/base64url.h"

#include <algorithm>

#include "base/base64.h"

namespace sealift::keyvault {

std::string to_base64url(base::ByteView bytes) {
  std::string text = base::to_base64(bytes);
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

base::Result<base::Bytes> from_base64url(std::string_view text) {
  std::string digits;
  digits.reserve(text.size());
  for (const char c : text) {
    if (c == '\r' || c == '\n') continue;
    // Digits of the other alphabet become something that neither has.
    digits += c == '-' ? '+' : c == '_' ? '/' : c == '+' || c == '/' ? '!' : c;
  }
  auto bytes = base::from_base64(digits);
  if (bytes) return bytes;
  return base::Error(base::ErrorCode::kCorrupt, "not base64 for URLs with padding");
}

}  // namespace sealift::keyvault
