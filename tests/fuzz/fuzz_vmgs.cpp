// Any bytes are refused, or are a guest-state file whose files lie inside it; a proof
// never fails otherwise than reading does, and is not passed by chance. Each input is
// read as it is, and again with checksums that fit: else hardly one gets past them.
#include <algorithm>

#include "vm/crc.h"
#include "vm/vmgs.h"

namespace {

using sealift::base::Bytes;

constexpr std::size_t kFooter = 512;
constexpr std::size_t kHeader = 168;

void write_be(Bytes& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
  }
}

void write_le32(Bytes& bytes, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

void mend(Bytes& bytes) {
  if (bytes.size() < 4 * 4096 + kFooter) return;
  const std::size_t footer = bytes.size() - kFooter;
  write_be(bytes, footer + 48, footer, 8);
  write_be(bytes, footer + 64, 0, 4);
  std::uint32_t sum = 0;
  for (std::size_t at = footer; at < bytes.size(); ++at) {
    sum += std::to_integer<std::uint32_t>(bytes[at]);
  }
  write_be(bytes, footer + 64, ~sum, 4);
  for (const std::size_t at : {std::size_t{0}, std::size_t{512}, std::size_t{4096}}) {
    const auto header = std::span(bytes).subspan(at, kHeader);
    write_le32(bytes, at + 12,
               sealift::vm::checksum_without<sealift::vm::Crc32>(header, 12));
  }
}

void read(const Bytes& bytes) {
  const auto file = sealift::base::bytes_in_memory(bytes);
  const auto vmgs = sealift::vm::read_vmgs(*file);
  static const auto key = sealift::keyvault::Secret::allocate(32).value();
  const auto proof = sealift::vm::prove_datastore_key(*file, key);
  if (proof) __builtin_trap();
  if (!vmgs) return;
  for (const auto& part : vmgs->files) {
    if (part.size > bytes.size()) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  Bytes bytes(input.begin(), input.end());
  read(bytes);
  mend(bytes);
  read(bytes);
  return 0;
}
