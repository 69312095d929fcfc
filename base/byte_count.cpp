#include "base/byte_count.h"

#include <array>
#include <cstdio>

namespace sealift::base {

std::string ByteCount::text() const {
  if (bytes_ < kKiB) return std::to_string(bytes_) + " B";
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double amount = static_cast<double>(bytes_) / static_cast<double>(kKiB);
  std::size_t unit = 0;
  // 1023.95 would print as "1024.0": move on to the next unit before rounding does.
  while (amount >= 1023.95 && unit + 1 < kUnits.size()) {
    amount /= static_cast<double>(kKiB);
    ++unit;
  }
  std::array<char, 32> text{};
  static_cast<void>(
      std::snprintf(text.data(), text.size(), "%.1f %s", amount, kUnits.at(unit)));
  return text.data();
}

}  // namespace sealift::base
