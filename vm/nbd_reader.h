// Reading a disk over NBD with libnbd.
#pragma once

#include <libnbd.h>

#include <memory>
#include <string>

#include "base/file_descriptor.h"
#include "base/handle.h"
#include "vm/read_pieces.h"

namespace sealift::vm {

/// A stream socket that is not connected yet. errors  kIo.
base::Result<base::FileDescriptor> make_socket();

/// Connects `socket` to `path`, which may be longer than an address of a socket.
/// errors  kIo.
base::Status connect_to_socket(const base::FileDescriptor& socket,
                               const std::string& path);

/// One connection, opened once. Threads: one at a time.
class NbdReader final : public DiskReader {
 public:
  /// Negotiates on `socket`, a connected one.
  /// bitmap  A dirty bitmap that the server exports beside the disk: this connection
  ///         tells what changed, not what the disk holds. Empty: the other way round.
  ///         Never both on one connection: QEMU would walk the disk's map for each
  ///         question about changes.
  /// errors  kIo: libnbd's words; the server has no such bitmap.
  static base::Result<std::unique_ptr<NbdReader>> open(base::FileDescriptor socket,
                                                       const std::string& export_name,
                                                       const std::string& bitmap = {});

  std::uint64_t size() const noexcept { return size_; }
  /// errors  kDefect: opened with a bitmap.
  base::Result<std::vector<Extent>> extents(std::uint64_t offset,
                                            std::uint64_t size) override;
  base::Status read(std::uint64_t offset, std::span<std::byte> bytes) override;

  /// As extents(); what the bitmap does not have as dirty is a hole.
  /// errors  kDefect: opened without a bitmap.
  base::Result<std::vector<Extent>> changes(std::uint64_t offset, std::uint64_t size);

 private:
  using NbdHandle = base::Handle<nbd_handle, nbd_close>;

  NbdReader() = default;
  base::Result<std::vector<Extent>> ask(std::uint64_t offset, std::uint64_t size);
  int pread(std::uint64_t offset, std::span<std::byte> bytes);
  NbdHandle handle_;
  std::string context_ = LIBNBD_CONTEXT_BASE_ALLOCATION;
  bool has_context_ = false;
  bool is_about_changes_ = false;
  std::uint64_t size_ = 0;
  bool has_whole_answers_ = false;
};

}  // namespace sealift::vm
