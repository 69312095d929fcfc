#include "vm/held_connections.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>

namespace sealift::vm {

namespace {

// Whether `socket` is not connected, and from now on cannot be: one that listens is
// refused by connect(). Between that and a connect() under way the kernel decides.
bool is_barred(const base::FileDescriptor& socket) {
  sockaddr_un nameless{};
  nameless.sun_family = AF_UNIX;
  static_cast<void>(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&nameless),
                           sizeof nameless.sun_family));
  return ::listen(socket.get(), 0) == 0;
}

}  // namespace

bool HeldConnections::end(std::chrono::milliseconds limit) {
  std::erase_if(sockets_, is_barred);
  std::vector<pollfd> waits;
  for (const auto& socket : sockets_) {
    static_cast<void>(::shutdown(socket.get(), SHUT_WR));
    static_cast<void>(::fcntl(socket.get(), F_SETFL, O_NONBLOCK));
    waits.push_back({socket.get(), POLLIN, 0});
  }
  std::vector<char> buffer(std::size_t{1} << 20U);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!waits.empty() && std::chrono::steady_clock::now() < deadline) {
    if (::poll(waits.data(), waits.size(), 50) <= 0) continue;
    std::erase_if(waits, [&buffer](const pollfd& wait) {
      if (wait.revents == 0) return false;
      const ssize_t count = ::read(wait.fd, buffer.data(), buffer.size());
      return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
    });
  }
  std::erase_if(sockets_, [&waits](const base::FileDescriptor& socket) {
    return std::ranges::none_of(
        waits, [&socket](const pollfd& wait) { return wait.fd == socket.get(); });
  });
  return sockets_.empty();
}

}  // namespace sealift::vm
