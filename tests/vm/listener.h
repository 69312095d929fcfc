// A server at a socket in a folder, as QEMU's NBD server is one.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

#include "base/file_descriptor.h"
#include "tests/support/catch.h"
#include "vm/nbd_reader.h"

namespace sealift::vm {

class Listener {
 public:
  explicit Listener(const std::filesystem::path& path)
      : socket_(make_socket().value()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.native().size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof address) == 0);
    REQUIRE(::listen(socket_.get(), 8) == 0);
  }

  base::FileDescriptor accept() const {
    return base::FileDescriptor(
        ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  base::FileDescriptor socket_;
};

}  // namespace sealift::vm
