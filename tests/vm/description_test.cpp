// Of a VM of libvirt's test driver, which runs nothing.
#include "vm/description.h"

#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::vm {

namespace {

constexpr const char* kBackUp =
    "back up what is there with --allow-incomplete; it will not be a whole VM";

std::string definition(const std::string& disk) {
  return "<domain type='test'><name>web-01</name>"
         "<uuid>6f0c1d3e-0000-4000-8000-0123456789ab</uuid>"
         "<memory>65536</memory><os><type>hvm</type></os><devices>" +
         disk + "</devices></domain>";
}

std::string disk_in(const std::filesystem::path& file) {
  return "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
         "<source file='" +
         file.string() + "'/><target dev='vda' bus='virtio'/></disk>";
}

class Defined {
 public:
  explicit Defined(const std::string& disk)
      : connection(connect("test:///default").value()),
        domain(virDomainDefineXML(connection.get(), definition(disk).c_str())) {
    REQUIRE(domain);
  }
  Defined(const Defined&) = delete;
  Defined& operator=(const Defined&) = delete;
  ~Defined() { static_cast<void>(virDomainUndefine(domain.get())); }

  Connection connection;
  Domain domain;
};

}  // namespace

TEST_CASE("a disk that cannot be read leaves ways on", "[vm]") {
  const support::ScratchFolder scratch;
  const auto path = scratch.path() / "web-01.qcow2";
  const Defined vm(disk_in(path));
  const auto gone = describe(vm.connection, vm.domain, Missing::kFails);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code() == base::ErrorCode::kRefused);
  CHECK(gone.error().next_steps() ==
        std::vector<std::string>{
            "put the file back, or take the disk out of the VM's definition", kBackUp});

  std::ofstream(path) << std::string(65536, 'x');
  const auto garbage = describe(vm.connection, vm.domain, Missing::kFails);
  REQUIRE_FALSE(garbage);
  CHECK(garbage.error().next_steps() == std::vector<std::string>{kBackUp});

  const auto rest = describe(vm.connection, vm.domain, Missing::kRecorded);
  REQUIRE(rest);
  CHECK(rest->unread_disks.at("vda") ==
        "cannot read a disk image, file " + path.string());
}

TEST_CASE("so does a disk of a kind that is not read", "[vm]") {
  const Defined vm(
      "<disk type='dir' device='disk'><driver name='qemu' type='fat'/>"
      "<source dir='/srv'/><target dev='vda' bus='virtio'/></disk>");
  const auto refused = describe(vm.connection, vm.domain, Missing::kFails);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == base::ErrorCode::kRefused);
  CHECK(refused.error().next_steps().back() == kBackUp);
}

}  // namespace sealift::vm
