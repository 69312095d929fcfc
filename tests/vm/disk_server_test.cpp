#include "vm/disk_server.h"

#include "tests/support/scratch_folder.h"
#include "tests/vm/listener.h"

namespace sealift::vm {

namespace {

constexpr auto kShort = std::chrono::milliseconds(100);

}  // namespace

TEST_CASE("the connections of a server are counted until it closes them", "[vm]") {
  const support::ScratchFolder scratch;
  const std::filesystem::path path = scratch.path() / "a name";
  CHECK_FALSE(count_connections(path));
  const Listener listener(path);
  const Listener neighbour(scratch.path() / "a name or two");
  CHECK(count_connections(path) == 0U);

  base::FileDescriptor client = make_socket().value();
  REQUIRE(connect_to_socket(client, path.string()));
  CHECK(count_connections(path) == 1U);
  base::FileDescriptor server = listener.accept();
  CHECK(count_connections(path) == 1U);
  client = base::FileDescriptor();
  CHECK(count_connections(path) == 1U);
  server = base::FileDescriptor();
  CHECK(count_connections(path) == 0U);
}

TEST_CASE("nobody comes in while it is waited for the last to leave", "[vm]") {
  const support::ScratchFolder scratch;
  const std::filesystem::path path = scratch.path() / "nbd";
  const Listener listener(path);
  const base::FileDescriptor client = make_socket().value();
  REQUIRE(connect_to_socket(client, path.string()));
  base::FileDescriptor server = listener.accept();

  const auto status = wait_until_nobody_reads(path, kShort);
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kHypervisor);
  CHECK(status.error().what() ==
        "QEMU does not close the connections to the VM's disks");
  CHECK_FALSE(connect_to_socket(make_socket().value(), path.string()));

  server = base::FileDescriptor();
  CHECK(wait_until_nobody_reads(path, kShort));
}

}  // namespace sealift::vm
