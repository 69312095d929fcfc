// Any header, regions, metadata and BAT are refused, or are a VHDX whose ranges lie
// inside it, in order and apart. A VHDX is mostly nothing: the input is laid out in one
// of 6 MiB, with checksums that fit.
#include <algorithm>

#include "vm/crc.h"
#include "vm/vhdx.h"

namespace {

using sealift::base::Bytes;
using sealift::base::ByteView;

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

struct Part {
  std::size_t at;
  std::size_t size;
};
constexpr Part kHeader{64 * kKiB, 80};
constexpr Part kRegions{192 * kKiB, 16 + 3 * 32};
constexpr Part kTable{3 * kMiB, 32 + 7 * 32};
constexpr Part kItems{3 * kMiB + 64 * kKiB, 512};
constexpr Part kBat{2 * kMiB, 4096};

void put(Bytes& file, const Part& part, ByteView& input) {
  const std::size_t size = std::min(part.size, input.size());
  std::ranges::copy(input.first(size), file.begin() + static_cast<long>(part.at));
  input = input.subspan(size);
}

void sign(Bytes& file, std::size_t at, std::size_t size, std::string_view signature) {
  std::ranges::copy(sealift::base::as_bytes(signature),
                    file.begin() + static_cast<long>(at));
  const auto part = std::span(file).subspan(at, size);
  const auto sum = sealift::vm::checksum_without<sealift::vm::Crc32c>(part, 4);
  for (std::size_t i = 0; i < 4; ++i) {
    part[4 + i] = static_cast<std::byte>(sum >> (8 * i));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  ByteView input = std::as_bytes(std::span(data, size));
  static Bytes file(6 * kMiB);
  for (const Part& part : {kHeader, kRegions, kTable, kItems, kBat}) {
    std::fill_n(file.begin() + static_cast<long>(part.at), part.size, std::byte{0});
    put(file, part, input);
  }
  std::ranges::copy(sealift::base::as_bytes("vhdxfile"), file.begin());
  sign(file, kHeader.at, 4096, "head");
  sign(file, kRegions.at, 64 * kKiB, "regi");

  const auto source = sealift::base::bytes_in_memory(file);
  const auto vhdx = sealift::vm::read_vhdx(*source);
  if (!vhdx) return 0;
  std::uint64_t end = 0;
  for (const auto& range : vhdx->referenced) {
    const bool is_apart = end == 0 || range.offset > end;
    end = range.offset + range.size;
    if (!is_apart || range.size == 0 || end > file.size()) __builtin_trap();
  }
  return 0;
}
