// Bytes of a format changed by a test, and the rule that refuses them.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "base/byte_source.h"
#include "base/bytes.h"
#include "base/result.h"

namespace sealift::vm {

/// Stores the `size` low bytes of `value`, little-endian.
inline void write_le(base::Bytes& bytes, std::size_t at, std::uint64_t value,
                     std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

/// Zeros, but for some pieces that lie apart: what is too large to be made.
class SparseBytes final : public base::ByteSource {
 public:
  using Pieces = std::map<std::uint64_t, base::Bytes>;  // By their offsets.

  SparseBytes(std::uint64_t size, Pieces pieces)
      : size_(size), pieces_(std::move(pieces)) {}

  std::uint64_t size() const override { return size_; }

 private:
  base::Status fill(std::uint64_t offset, std::span<std::byte> bytes) const override {
    std::ranges::fill(bytes, std::byte{0});
    for (const auto& [begin, piece] : pieces_) {
      const std::uint64_t from = std::max(begin, offset);
      const std::uint64_t to = std::min(begin + piece.size(), offset + bytes.size());
      if (from >= to) continue;
      std::ranges::copy(base::ByteView(piece).subspan(from - begin, to - from),
                        bytes.subspan(from - offset).begin());
    }
    return base::Done{};
  }

  std::uint64_t size_;
  Pieces pieces_;
};

/// "G7"; "none" of what is no error.
template <typename T>
std::string rule_of(const base::Result<T>& result) {
  if (result) return "none";
  for (const auto& place : result.error().places()) {
    if (place.kind == "rule") return place.name;
  }
  return "an error without a rule";
}

}  // namespace sealift::vm
