// Memory, and whatever else O_DIRECT asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace sealift::base {

/// What O_DIRECT asks of offsets, sizes and memory; enough for every common device.
constexpr std::size_t kDirectAlignment = 4096;

/// Whether bytes can go from or to `offset` past the page cache.
inline bool can_be_direct(std::uint64_t offset, std::span<const std::byte> bytes) {
  return offset % kDirectAlignment == 0 && bytes.size() % kDirectAlignment == 0 &&
         reinterpret_cast<std::uintptr_t>(bytes.data()) % kDirectAlignment == 0;
}

class AlignedBuffer {
 public:
  explicit AlignedBuffer(std::size_t size)
      : bytes_(static_cast<std::byte*>(
            ::operator new (size, std::align_val_t{kDirectAlignment}))),
        size_(size) {}

  std::span<std::byte> bytes() const noexcept { return {bytes_.get(), size_}; }

 private:
  struct Release {
    void operator()(std::byte* bytes) const noexcept {
      ::operator delete (bytes, std::align_val_t{kDirectAlignment});
    }
  };
  std::unique_ptr<std::byte, Release> bytes_;
  std::size_t size_;
};

}  // namespace sealift::base
