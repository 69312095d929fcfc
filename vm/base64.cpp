#include "vm/base64.h"

#include <string_view>

namespace sealift::vm {

namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned kBitsPerDigit = 6;

base::Error broken() {
  return base::Error(base::ErrorCode::kCorrupt, "the text is not base64");
}

}  // namespace

base::Result<keyvault::Secret> decode_base64(const keyvault::Secret& text) {
  std::string_view digits = base::as_text(text.view());
  while (!digits.empty() &&
         std::string_view("\r\n\t ").find(digits.back()) != std::string_view::npos) {
    digits.remove_suffix(1);
  }
  if (digits.size() % 4 != 0) return broken();
  for (int padding = 0; padding < 2 && digits.ends_with('='); ++padding) {
    digits.remove_suffix(1);
  }
  ASSIGN_OR_RETURN(keyvault::Secret value,
                   keyvault::Secret::allocate(digits.size() * 3 / 4));
  std::uint32_t pending = 0;
  unsigned pending_bits = 0;
  std::size_t written = 0;
  for (const char digit : digits) {
    const std::size_t number = kDigits.find(digit);
    if (number == std::string_view::npos) return broken();
    pending = (pending << kBitsPerDigit) | static_cast<std::uint32_t>(number);
    pending_bits += kBitsPerDigit;
    if (pending_bits < 8) continue;
    pending_bits -= 8;
    value.writable()[written++] =
        static_cast<std::byte>((pending >> pending_bits) & 0xffU);
  }
  return value;
}

}  // namespace sealift::vm
