#include "vm/connection.h"

#include "tests/support/catch.h"

namespace sealift::vm {

TEST_CASE("only daemons on this host are connected to", "[vm]") {
  for (const char* uri :
       {"qemu+ssh://host/system", "qemu://host/system", "qemu+tcp:///system",
        "qemu+tls://host/system", "xen:///", "test:///tmp/x", ""}) {
    CAPTURE(uri);
    const auto connection = connect(uri);
    REQUIRE_FALSE(connection);
    CHECK(connection.error().code() == base::ErrorCode::kUsage);
  }
}

TEST_CASE("a daemon that does not run is the hypervisor's failure", "[vm]") {
  const auto connection = connect("qemu+unix:///system?socket=/nonexistent/socket");
  REQUIRE_FALSE(connection);
  CHECK(connection.error().code() == base::ErrorCode::kHypervisor);
  CHECK(connection.error().places().front().name ==
        "qemu+unix:///system?socket=/nonexistent/socket");
  CHECK(connection.error().next_steps().size() == 1);
}

TEST_CASE("a VM is found by name or UUID", "[vm]") {
  const Connection connection = connect("test:///default").value();
  CHECK(list_domains(connection).value() == std::vector<std::string>{"test"});

  const Domain domain = find_domain(connection, "test").value();
  std::array<char, VIR_UUID_STRING_BUFLEN> uuid{};
  REQUIRE(virDomainGetUUIDString(domain.get(), uuid.data()) == 0);
  CHECK(find_domain(connection, uuid.data()));

  for (const char* name : {"web-01", "7e57ab1e-0000-4000-8000-000000000001", ""}) {
    const auto missing = find_domain(connection, name);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code() == base::ErrorCode::kNotFound);
  }
}

}  // namespace sealift::vm
