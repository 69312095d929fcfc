// Whole numbers as options take them.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

namespace sealift::cli {

/// Decimal digits and nothing else; none for anything that is not, or too large.
inline std::optional<std::uint64_t> whole_number(const std::string& text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace sealift::cli
