// Disks being restored.
#pragma once

#include <filesystem>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::vm {

/// A new image file that is all holes until written. Removed again by the destructor
/// unless finish() succeeded. Writes past the page cache what begins at a multiple of
/// base::kDirectAlignment in memory, where the file system can. Threads: write() from
/// several at once.
class DiskTarget {
 public:
  virtual ~DiskTarget() = default;
  virtual base::Status write(std::uint64_t offset, base::ByteView bytes) = 0;
  /// Durable and closed. Called once, after every write() returned.
  virtual base::Status finish() = 0;
};

/// A sparse raw image of `size` bytes; 0600; never replaces a file or follows a
/// symlink. errors  kRefused: `path` is there already.  kIo.
base::Result<std::unique_ptr<DiskTarget>> create_raw_disk(
    const std::filesystem::path& path, std::uint64_t size);

/// A qcow2 image without backing file, written through qemu-nbd (cache=none).
/// errors  as create_raw_disk().
base::Result<std::unique_ptr<DiskTarget>> create_qcow2_disk(
    const std::filesystem::path& path, std::uint64_t size);

}  // namespace sealift::vm
