// A file or block device read as it is, by several threads.
#pragma once

#include <cstdint>
#include <vector>

#include "base/file_descriptor.h"
#include "vm/read_pieces.h"

namespace sealift::vm {

/// The same file once more, to be read past the page cache; empty where that is not to
/// be had. Through /proc rather than by name: the name may lead elsewhere by now.
base::FileDescriptor open_direct(const base::FileDescriptor& file);

/// One thread's way to the content. Threads: the descriptor's position belongs to
/// whoever asks for extents, and one thread at a time does.
class RawReader final : public DiskReader {
 public:
  /// file       Belongs to the caller, as does `direct`, what open_direct() gave or -1.
  /// size       Bytes that are read; beyond `file_size` they are zeros.
  /// has_holes  Whether lseek() tells them, as it does of a regular file.
  RawReader(int file, int direct, std::uint64_t size, std::uint64_t file_size,
            bool has_holes)
      : file_(file),
        direct_(direct),
        size_(size),
        file_size_(file_size),
        has_holes_(has_holes) {}

  base::Result<std::vector<Extent>> extents(std::uint64_t offset,
                                            std::uint64_t size) override;

  /// errors  kRefused: what it lies on cannot be read.  kIo.
  base::Status read(std::uint64_t offset, std::span<std::byte> bytes) override;

 private:
  int file_;
  int direct_;
  std::uint64_t size_;
  std::uint64_t file_size_;
  bool has_holes_;
};

}  // namespace sealift::vm
