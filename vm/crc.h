// The checksums of Microsoft's formats.
#pragma once

#include <boost/crc.hpp>

#include "base/bytes.h"

namespace sealift::vm {

/// CRC-32 of IEEE 802.3, as zlib has it: .vmgs, .vmcx, .VMRS.
using Crc32 = boost::crc_32_type;

/// CRC-32C (Castagnoli; RFC 3720, 12.1): VHDX.
using Crc32c = boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true>;

/// Of `bytes`, with the four bytes at `at`, where the checksum itself stands, as zeros.
template <typename Crc>
std::uint32_t checksum_without(base::ByteView bytes, std::size_t at) {
  constexpr std::size_t kSize = 4;
  Crc crc;
  crc.process_bytes(bytes.data(), at);
  for (std::size_t i = 0; i < kSize; ++i) crc.process_byte(0);
  const base::ByteView rest = bytes.subspan(at + kSize);
  crc.process_bytes(rest.data(), rest.size());
  return crc.checksum();
}

}  // namespace sealift::vm
