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
  /// bitmap  The dirty bitmap that the server exports beside the disk; empty: none.
  /// errors  kIo: libnbd's words; the server has no such bitmap.
  static base::Result<std::unique_ptr<NbdReader>> open(base::FileDescriptor socket,
                                                       const std::string& export_name,
                                                       const std::string& bitmap = {});

  std::uint64_t size() const noexcept { return size_; }
  base::Result<std::vector<Extent>> extents(std::uint64_t offset,
                                            std::uint64_t size) override;
  base::Status read(std::uint64_t offset, std::span<std::byte> bytes) override;

  /// As extents(); what the bitmap does not have as dirty is a hole.
  base::Result<std::vector<Extent>> changes(std::uint64_t offset, std::uint64_t size);

 private:
  using NbdHandle = base::Handle<nbd_handle, nbd_close>;

  NbdReader() = default;
  int pread(std::uint64_t offset, std::span<std::byte> bytes);
  base::Result<std::vector<Extent>> ask(const std::string& context,
                                        std::uint32_t wanted_flag, bool is_hole_if_set,
                                        std::uint64_t offset, std::uint64_t size);
  NbdHandle handle_;
  std::string bitmap_context_;  // Empty: none.
  std::uint64_t size_ = 0;
  bool has_whole_answers_ = false;
};

}  // namespace sealift::vm
