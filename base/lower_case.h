// Text whose letters' case says nothing.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace sealift::base {

/// Letters of ASCII only.
inline std::string lower_case(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lowered;
}

}  // namespace sealift::base
