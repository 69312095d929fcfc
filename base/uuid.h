// The identity of a VM, a secret or a host.
#pragma once

#include "base/digest_id.h"

namespace sealift::base {

class Uuid {
 public:
  using Array = std::array<std::byte, 16>;

  constexpr Uuid() = default;
  constexpr explicit Uuid(const Array& bytes) : bytes_(bytes) {}

  /// Reads 8-4-4-4-12 hexadecimal digits of either case (RFC 4122, section 3).
  /// errors  kUsage: any other text; the text itself is in the error.
  static Result<Uuid> parse(std::string_view text);

  /// Whether `text` has the form that parse() reads.
  static bool is_uuid(std::string_view text) { return static_cast<bool>(parse(text)); }

  const Array& bytes() const noexcept { return bytes_; }
  /// Lower case, with hyphens.
  std::string text() const;

  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;

 private:
  Array bytes_{};
};

}  // namespace sealift::base
