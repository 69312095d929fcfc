// Any bytes are refused, or fill the stated size exactly, and do so again.
#include "archive/compression.h"
#include "archive/limits.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sealift;
  if (size < 4) return 0;
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::size_t plain_size = base::read_be32(bytes, 0) % archive::kMaxPlainSize + 1;
  static auto decompressor = archive::Decompressor::create();
  base::Bytes first(plain_size, std::byte{0x11});
  base::Bytes second(plain_size, std::byte{0x22});
  const bool is_open =
      static_cast<bool>(decompressor.value().unpack(bytes.subspan(4), first));
  const bool is_open_again =
      static_cast<bool>(decompressor.value().unpack(bytes.subspan(4), second));
  if (is_open != is_open_again || (is_open && first != second)) __builtin_trap();
  return 0;
}
