#include "base/uuid.h"

namespace sealift::base {

namespace {
constexpr std::size_t kTextSize = 36;
constexpr bool is_hyphen_place(std::size_t i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}
}  // namespace

Result<Uuid> Uuid::parse(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size() && text.size() == kTextSize; ++i) {
    if (is_hyphen_place(i) != (text[i] == '-')) break;
    if (is_hyphen_place(i)) continue;
    const char digit = text[i];
    digits +=
        digit >= 'A' && digit <= 'F' ? static_cast<char>(digit - 'A' + 'a') : digit;
  }
  if (digits.size() == 32) {
    if (auto bytes = from_hex(digits)) {
      Array array{};
      std::copy_n(bytes->begin(), array.size(), array.begin());
      return Uuid(array);
    }
  }
  return Error(ErrorCode::kUsage, "not a UUID").at("text", text);
}

std::string Uuid::text() const {
  std::string text = to_hex(bytes_);
  for (const std::size_t place : {8U, 13U, 18U, 23U}) text.insert(place, 1, '-');
  return text;
}

}  // namespace sealift::base
