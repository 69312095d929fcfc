// The connections of a capture, as its guard ends them.
#pragma once

#include <chrono>
#include <vector>

#include "base/file_descriptor.h"

namespace sealift::vm {

/// The sockets over which a capture reads disks, each known before it is connected.
/// QEMU 7.2 must be told good-bye on all of them before their job ends: a handshake
/// that is not finished by then holds it for ever, with the guest frozen, and a reply
/// that nobody reads holds it until somebody does. That a client leaves is harmless:
/// disks for which it is not are never pulled.
class HeldConnections {
 public:
  void add(base::FileDescriptor socket) { sockets_.push_back(std::move(socket)); }

  /// Says good-bye on each and reads what still comes until QEMU has closed it. One
  /// that is not connected by now never will be, whoever else holds it.
  /// return  Whether none is left; if not, those that are wait for the next call.
  bool end(std::chrono::milliseconds limit);

 private:
  std::vector<base::FileDescriptor> sockets_;
};

}  // namespace sealift::vm
