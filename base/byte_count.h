// Sizes that cannot be mistaken for counts of something else.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace sealift::base {

class ByteCount {
 public:
  constexpr ByteCount() = default;
  constexpr explicit ByteCount(std::uint64_t bytes) : bytes_(bytes) {}

  constexpr std::uint64_t bytes() const noexcept { return bytes_; }

  /// For people: "0 B", "512 B", "1.5 KiB", "3.0 GiB"; binary units, one digit after
  /// the point from KiB on.
  std::string text() const;

  friend constexpr auto operator<=>(ByteCount, ByteCount) = default;
  friend constexpr ByteCount operator+(ByteCount a, ByteCount b) {
    return ByteCount(a.bytes_ + b.bytes_);
  }
  constexpr ByteCount& operator+=(ByteCount other) {
    bytes_ += other.bytes_;
    return *this;
  }

 private:
  std::uint64_t bytes_ = 0;
};

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;

}  // namespace sealift::base
