// Sizes as options and settings take them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sealift::cli {

/// "64 MiB", "4GiB", "4095M", "2T", or a number of bytes; units are binary. None for
/// anything else, 0, or what is too large for 64 bits.
std::optional<std::uint64_t> byte_size(std::string_view text);

}  // namespace sealift::cli
