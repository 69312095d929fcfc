// qemu-nbd reading an image, with its whole chain stated, for this process alone.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "vm/description.h"

namespace sealift::vm {

/// An image that is only read, each layer's format stated and none probed. No lock is
/// taken: whoever wants to start the VM is not kept from it, so the reader has to see
/// for himself that nobody wrote.
/// Invariants  The process ends when its last connection closes, so also when we die.
///             Its listening socket has no name by the time it runs.
class ReadOnlyServer {
 public:
  /// `bitmap`  A dirty bitmap of the image, exported beside it; empty: none.
  /// `key`  Of the user of a network disk; null: none. It gets there in memory, never
  ///        as an argument.
  /// errors  kNotFound: qemu-nbd is not installed.  kIo.
  static base::Result<ReadOnlyServer> start(const Disk& disk, unsigned connections,
                                            const keyvault::Secret* key = nullptr,
                                            const std::string& bitmap = {});

  ReadOnlyServer(ReadOnlyServer&& other) noexcept;
  ReadOnlyServer& operator=(ReadOnlyServer&&) = delete;
  ReadOnlyServer(const ReadOnlyServer&) = delete;
  ReadOnlyServer& operator=(const ReadOnlyServer&) = delete;
  /// Ends the process.
  ~ReadOnlyServer();

  /// Connected sockets, each given away once.
  std::vector<base::FileDescriptor> take_sockets() { return std::move(sockets_); }

  /// Waits until the server speaks on `socket`, one of its own, or has ended.
  /// errors  kIo: neither within 30 s. A Ceph cluster that is out of reach, or does not
  ///         know the user, is waited for by librbd five minutes and longer.
  base::Status wait_for(const base::FileDescriptor& socket) const;

  /// What qemu-nbd complained about so far.
  std::string words() const;

 private:
  ReadOnlyServer() = default;
  pid_t process_ = -1;
  base::FileDescriptor log_;
  std::vector<base::FileDescriptor> sockets_;
};

}  // namespace sealift::vm
