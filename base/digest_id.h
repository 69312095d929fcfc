// Ids that are types: one meaning cannot be passed as another.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::base {

/// `Size` bytes whose meaning is the type. The default value is all zero.
template <typename Meaning, std::size_t Size = 32>
class DigestId {
 public:
  static constexpr std::size_t kSize = Size;
  using Array = std::array<std::byte, kSize>;

  constexpr DigestId() = default;
  constexpr explicit DigestId(const Array& bytes) : bytes_(bytes) {}

  /// `bytes` holds exactly kSize bytes: the caller has checked.
  static DigestId from(ByteView bytes) {
    DigestId id;
    std::copy_n(bytes.begin(), kSize, id.bytes_.begin());
    return id;
  }

  /// Reads exactly 2 * kSize lower-case hexadecimal digits.
  /// errors  kUsage: any other text; the text itself is in the error.
  static Result<DigestId> parse(std::string_view text) {
    if (text.size() == 2 * kSize) {
      if (auto bytes = from_hex(text)) return from(bytes.value());
    }
    return Error(ErrorCode::kUsage,
                 "not " + std::to_string(2 * kSize) + " lower-case hexadecimal digits")
        .at("text", text);
  }

  constexpr const Array& bytes() const noexcept { return bytes_; }
  ByteView view() const noexcept { return bytes_; }
  std::string hex() const { return to_hex(bytes_); }
  bool is_zero() const { return is_all_zero(bytes_); }

  friend constexpr auto operator<=>(const DigestId&, const DigestId&) =
      default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 errs

 private:
  Array bytes_{};
};

}  // namespace sealift::base

template <typename Meaning, std::size_t Size>
struct std::hash<sealift::base::DigestId<Meaning, Size>> {
  std::size_t operator()(
      const sealift::base::DigestId<Meaning, Size>& id) const noexcept {
    std::size_t value = 0;
    for (std::size_t i = 0; i < sizeof value && i < Size; ++i) {  // NOLINT: any Size
      value = (value << 8U) | std::to_integer<std::size_t>(id.bytes()[i]);
    }
    return value;
  }
};
