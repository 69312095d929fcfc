#include "cli/byte_size.h"

#include <array>
#include <charconv>
#include <limits>

#include "base/byte_count.h"

namespace sealift::cli {

std::optional<std::uint64_t> byte_size(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t bytes;
  };
  constexpr std::array<Unit, 9> kUnits{{{"", 1},
                                        {"K", base::kKiB},
                                        {"KiB", base::kKiB},
                                        {"M", base::kMiB},
                                        {"MiB", base::kMiB},
                                        {"G", base::kGiB},
                                        {"GiB", base::kGiB},
                                        {"T", 1024 * base::kGiB},
                                        {"TiB", 1024 * base::kGiB}}};
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc() || number == 0) return std::nullopt;
  std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  if (unit.starts_with(' ') && unit.size() > 1) unit.remove_prefix(1);
  for (const Unit& known : kUnits) {
    if (known.name != unit) continue;
    if (number > std::numeric_limits<std::uint64_t>::max() / known.bytes) break;
    return number * known.bytes;
  }
  return std::nullopt;
}

}  // namespace sealift::cli
