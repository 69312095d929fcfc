#include "vm/target_host.h"

#include <algorithm>

#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

// libvirt's built-in test driver: a host of its own in this process.
Connection test_host() { return connect("test:///default").value(); }

constexpr const char* kGuest = R"(<domain type='test'>
  <name>web 01</name>
  <uuid>7e57ab1e-0000-4000-8000-000000000001</uuid>
  <memory>1024</memory>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <source file='/srv/web.qcow2'/><target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:12:34:56'/><source network='default'/>
    </interface>
  </devices>
</domain>)";

}  // namespace

TEST_CASE("a survey names the host's VMs, with what they use", "[vm][target]") {
  const Connection host = test_host();
  REQUIRE(define_domain(host, kGuest));

  const TargetHost survey = survey_target(host).value();

  const auto vm = std::ranges::find(survey.vms, "web 01", &KnownVm::name);
  REQUIRE(vm != survey.vms.end());
  CHECK(vm->uuid.text() == "7e57ab1e-0000-4000-8000-000000000001");
  CHECK(vm->mac_addresses == std::vector<std::string>{"52:54:00:12:34:56"});
  CHECK(vm->files == std::vector<std::filesystem::path>{"/srv/web.qcow2"});
  CHECK(survey.networks.contains("default"));
}

TEST_CASE("a definition is made, started, and taken away again", "[vm][target]") {
  const Connection host = test_host();
  const base::Uuid uuid =
      base::Uuid::parse("7e57ab1e-0000-4000-8000-000000000001").value();
  REQUIRE(define_domain(host, kGuest));
  REQUIRE(start_domain(host, uuid));
  CHECK(start_domain(host, uuid).error().code() == base::ErrorCode::kHypervisor);
}

TEST_CASE("a definition that libvirt refuses says libvirt's words", "[vm][target]") {
  const Connection host = test_host();
  const base::Status status = define_domain(host, "<domain type='test'/>");
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kHypervisor);
  CHECK_FALSE(status.error().cause().empty());
}

TEST_CASE("taking away a definition that is not there is no error", "[vm][target]") {
  const Connection host = test_host();
  const base::Uuid uuid =
      base::Uuid::parse("00000000-0000-4000-8000-00000000000f").value();
  CHECK(undefine_domain(host, uuid));
  CHECK(start_domain(host, uuid).error().code() == base::ErrorCode::kHypervisor);
}

}  // namespace sealift::vm
