#include "archive/tar_form.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "archive/rule.h"

namespace sealift::archive {

namespace {

// Offsets as in the table of volume.md, section 2.
constexpr std::size_t kModeAt = 100;
constexpr std::size_t kOwnerAt = 108;
constexpr std::size_t kGroupAt = 116;
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kTimeAt = 136;
constexpr std::size_t kSumAt = 148;
constexpr std::size_t kTypeAt = 156;
constexpr std::size_t kMagicAt = 257;
constexpr std::size_t kDeviceMajorAt = 329;
constexpr std::size_t kDeviceMinorAt = 337;

constexpr std::size_t kSizeDigits = 11;
constexpr std::size_t kSumDigits = 6;
constexpr std::size_t kMaxTarName = 99;

using namespace std::string_view_literals;
using namespace std::string_literals;

void put(TarHeader& header, std::size_t at, std::string_view text) {
  std::ranges::copy(base::as_bytes(text), header.begin() + static_cast<long>(at));
}

std::string octal(std::uint64_t value, std::size_t digits) {
  std::string text(digits, '0');
  for (auto digit = text.rbegin(); value != 0 && digit != text.rend(); ++digit) {
    *digit = static_cast<char>('0' + value % 8);
    value /= 8;
  }
  return text;
}

}  // namespace

TarHeader tar_header(std::string_view name, std::uint64_t size) {
  assert(!name.empty() && name.size() <= kMaxTarName);
  TarHeader header{};
  put(header, 0, name);
  put(header, kModeAt, "000644 \0"sv);
  put(header, kOwnerAt, "000000 \0"sv);
  put(header, kGroupAt, "000000 \0"sv);
  put(header, kSizeAt, octal(size, kSizeDigits) + " ");
  put(header, kTimeAt, "00000000000 ");
  put(header, kSumAt, "        ");
  put(header, kTypeAt, "0");
  put(header, kMagicAt,
      "ustar\0"
      "00"sv);
  put(header, kDeviceMajorAt, "000000 \0"sv);
  put(header, kDeviceMinorAt, "000000 \0"sv);
  const auto sum =
      std::accumulate(header.begin(), header.end(), std::uint64_t{0},
                      [](std::uint64_t total, std::byte byte) {
                        return total + std::to_integer<std::uint64_t>(byte);
                      });
  put(header, kSumAt, octal(sum, kSumDigits) + "\0 "s);
  return header;
}

base::Result<std::uint64_t> claimed_tar_size(base::ByteView header) {
  const std::string_view field =
      base::as_text(header.subspan(kSizeAt, kSizeDigits + 1));
  std::uint64_t size = 0;
  for (const char digit : field.substr(0, kSizeDigits)) {
    if (digit < '0' || digit > '7') {
      return broken("V6", "a header block does not state a size");
    }
    size = size * 8 + static_cast<std::uint64_t>(digit - '0');
  }
  return size;
}

base::Status check_tar_header(base::ByteView header, std::string_view name,
                              std::uint64_t size) {
  if (std::ranges::equal(header, tar_header(name, size))) return base::Done{};
  return broken("V6", "a header block is not as it must be").at("member", name);
}

base::Status check_tar_member(base::ByteView block, std::string_view name,
                              std::uint64_t size) {
  const bool is_whole = block.size() == kTarBlock + tar_padded(size);
  RETURN_IF_ERROR(check_tar_header(block.first(is_whole ? kTarBlock : 0), name, size));
  if (!base::is_all_zero(block.subspan(kTarBlock + size))) {
    return broken("V6", "the bytes after a member are not zero").at("member", name);
  }
  return base::Done{};
}

}  // namespace sealift::archive
