// Bytes at any place of something that has a size.
#pragma once

#include <filesystem>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::base {

/// A file or memory, for readers that want a little of something large.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  virtual std::uint64_t size() const = 0;

  /// Whether `count` bytes from `offset` on lie inside.
  bool holds(std::uint64_t offset, std::uint64_t count) const {
    return offset <= size() && count <= size() - offset;
  }

  /// Fills `bytes` from `offset` on.
  /// errors  kCorrupt: not all of it lies inside.  kIo.
  Status read(std::uint64_t offset, std::span<std::byte> bytes) const;

  /// `count` bytes from `offset` on; the caller has bounded `count`.
  /// errors  as above.
  Result<Bytes> read(std::uint64_t offset, std::size_t count) const;

 private:
  virtual Status fill(std::uint64_t offset, std::span<std::byte> bytes) const = 0;
};

/// Not through a symlink in the last place. What is read is the file that stood there
/// when it was opened; its size, too.
/// errors  kNotFound.  kRefused: a symlink, or no regular file.  kIo.
Result<std::unique_ptr<ByteSource>> open_bytes(const std::filesystem::path& path);

/// `bytes` outlive it.
std::unique_ptr<ByteSource> bytes_in_memory(ByteView bytes);

}  // namespace sealift::base
