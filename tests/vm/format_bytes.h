// Bytes of a format changed by a test, and the rule that refuses them.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::vm {

/// Stores the `size` low bytes of `value`, little-endian.
inline void write_le(base::Bytes& bytes, std::size_t at, std::uint64_t value,
                     std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

/// "G7"; "none" of what is no error.
template <typename T>
std::string rule_of(const base::Result<T>& result) {
  if (result) return "none";
  for (const auto& place : result.error().places()) {
    if (place.kind == "rule") return place.name;
  }
  return "an error without a rule";
}

}  // namespace sealift::vm
