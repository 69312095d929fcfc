#include "vm/held_connections.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "tests/support/scratch_folder.h"
#include "tests/vm/listener.h"

namespace sealift::vm {

namespace {

constexpr auto kShort = std::chrono::milliseconds(100);
constexpr auto kLong = std::chrono::seconds(20);

base::FileDescriptor copy_of(const base::FileDescriptor& socket) {
  return base::FileDescriptor(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
}

// A socket that is held, not connected yet, and a server that it could connect to.
struct HeldSocket {
  support::ScratchFolder scratch;
  std::string path = (scratch.path() / "nbd").string();
  Listener listener{path};
  base::FileDescriptor socket = make_socket().value();
  HeldConnections held;

  HeldSocket() { held.add(copy_of(socket)); }
};

}  // namespace

TEST_CASE("a connection has ended when the other side has closed it", "[vm]") {
  HeldSocket scene;
  REQUIRE(connect_to_socket(scene.socket, scene.path));

  SECTION("not while it waits to be accepted") { CHECK_FALSE(scene.held.end(kShort)); }
  SECTION(
      "not while it is open, though it was told good-bye; the next call asks again") {
    base::FileDescriptor server = scene.listener.accept();
    CHECK_FALSE(scene.held.end(kShort));
    std::array<char, 1> byte{};
    CHECK(::read(server.get(), byte.data(), 1) == 0);
    server = base::FileDescriptor();
    CHECK(scene.held.end(kLong));
  }
  SECTION("what still comes is read, so that the server can finish") {
    base::FileDescriptor server = scene.listener.accept();
    std::thread answers([&server] {
      const std::vector<char> reply(std::size_t{8} << 20U);
      std::size_t sent = 0;
      while (sent < reply.size()) {
        const ssize_t count =
            ::write(server.get(), reply.data() + sent, reply.size() - sent);
        if (count <= 0) break;
        sent += static_cast<std::size_t>(count);
      }
      server = base::FileDescriptor();
    });
    CHECK(scene.held.end(kLong));
    answers.join();
  }
}

TEST_CASE("a socket that was not connected by then never will be", "[vm]") {
  HeldSocket scene;
  CHECK(scene.held.end(kShort));
  CHECK_FALSE(connect_to_socket(scene.socket, scene.path));
}

}  // namespace sealift::vm
