#include "vm/domain_xml.h"

#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

// A guest with everything that this room reads; `extra` goes into its devices.
std::string guest(const std::string& disks, const std::string& tpm = "") {
  return R"(<domain type='kvm' id='3'>
  <name>Ünï &amp; vm</name>
  <uuid>7e57ab1e-0000-4000-8000-000000000001</uuid>
  <os><type machine='pc-q35-7.2'>hvm</type>
    <loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader>
    <nvram template='/usr/share/OVMF/VARS.fd'>/srv/odd place/vars.fd</nvram></os>
  <devices>)" +
         disks + tpm +
         R"(<interface type='network'><mac address='52:54:00:00:00:01'/></interface>
  </devices></domain>)";
}

constexpr const char* kDisk = R"(<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/><source file='/srv/a, b.qcow2'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/base.raw'/><backingStore/></backingStore>
  <target dev='vda' bus='virtio'/></disk>)";
constexpr const char* kTpm =
    R"(<tpm model='tpm-crb'><backend type='emulator' version='2.0'>
  <encryption secret='5ec2e700-0000-4000-8000-000000000001'/></backend></tpm>)";

std::string refused_element(const std::string& xml) {
  const auto facts = read_domain_xml(xml);
  if (facts) return "nothing";
  CHECK(facts.error().code() == base::ErrorCode::kRefused);
  return facts.error().places().front().name;
}

std::string disk(const std::string& attributes, const std::string& content) {
  return "<disk " + attributes + ">" + content +
         "<target dev='vdb' bus='virtio'/></disk>";
}

}  // namespace

TEST_CASE("a domain's XML says what the VM is made of", "[vm]") {
  const VmDescription vm = read_domain_xml(guest(kDisk, kTpm)).value().vm;

  CHECK(vm.name == "Ünï & vm");
  CHECK(vm.uuid.text() == "7e57ab1e-0000-4000-8000-000000000001");
  REQUIRE(vm.disks.size() == 1);
  CHECK(vm.disks[0].target == "vda");
  CHECK(vm.disks[0].path == "/srv/a, b.qcow2");
  CHECK(vm.disks[0].format == "qcow2");
  REQUIRE(vm.disks[0].backing.size() == 1);
  CHECK(vm.disks[0].backing[0].path == "/srv/base.raw");
  CHECK(vm.disks[0].backing[0].format == "raw");
  CHECK_FALSE(vm.disks[0].has_iothread);
  REQUIRE(vm.firmware);
  CHECK(vm.firmware->nvram == "/srv/odd place/vars.fd");
  CHECK(vm.firmware->is_secure_boot);
  REQUIRE(vm.vtpm);
  CHECK(vm.vtpm->state_directory ==
        "/var/lib/libvirt/swtpm/7e57ab1e-0000-4000-8000-000000000001/tpm2");
  CHECK(vm.vtpm->secret->text() == "5ec2e700-0000-4000-8000-000000000001");
  CHECK(vm.mac_addresses == std::vector<std::string>{"52:54:00:00:00:01"});
}

TEST_CASE("an iothread is found on the disk, in its list and on its controller",
          "[vm]") {
  const std::string source = "<source file='/a'/>";
  const auto has_iothread = [](const std::string& devices) {
    return read_domain_xml(guest(devices)).value().vm.disks.at(0).has_iothread;
  };
  const std::string file = "type='file' device='disk'";
  CHECK(has_iothread(disk(file, "<driver type='raw' iothread='1'/>" + source)));
  CHECK(has_iothread(disk(
      file, "<driver type='raw'><iothreads><iothread id='1'/></iothreads></driver>" +
                source)));
  const std::string on_scsi =
      "<disk type='file' device='disk'><driver type='raw'/><source file='/a'/>"
      "<target dev='sda' bus='scsi'/><address type='drive' controller='1'/></disk>";
  CHECK(has_iothread(
      on_scsi +
      "<controller type='scsi' index='1'><driver iothread='1'/></controller>"));
  CHECK_FALSE(has_iothread(
      on_scsi +
      "<controller type='scsi' index='0'><driver iothread='1'/></controller>"));
  CHECK_FALSE(has_iothread(
      disk(file,
           "<driver type='raw'/>" + source + "<address type='drive' controller='1'/>") +
      "<controller type='scsi' index='1'><driver iothread='1'/></controller>"));
}

TEST_CASE("drives with removable media are no disks", "[vm]") {
  const VmDescription vm =
      read_domain_xml(
          guest(std::string(kDisk) +
                "<disk type='file' device='cdrom'><target dev='sda'/></disk>"))
          .value()
          .vm;
  CHECK(vm.disks.size() == 1);
  CHECK(vm.removable_targets == std::vector<std::string>{"sda"});
}

TEST_CASE("a disk in a pool is looked up later", "[vm]") {
  const DomainFacts facts =
      read_domain_xml(
          guest(disk("type='volume' device='disk'",
                     "<driver type='qcow2'/><source pool='p' volume='v'/>")))
          .value();
  CHECK(facts.volumes.at("vdb").pool == "p");
  CHECK(facts.volumes.at("vdb").volume == "v");
}

TEST_CASE("an RBD image is a disk without a path", "[vm]") {
  const VmDescription vm =
      read_domain_xml(
          guest(disk("type='network' device='disk'",
                     "<driver type='raw'/><source protocol='rbd' name='p/i'/>")))
          .value()
          .vm;
  REQUIRE(vm.disks.at(0).rbd);
  CHECK(vm.disks[0].path == "rbd:p/i");
}

TEST_CASE("what cannot be carried is refused by the name of its element", "[vm]") {
  const std::string file = "type='file' device='disk'";
  CHECK(refused_element(guest(disk("type='network' device='disk'",
                                   "<driver type='raw'/><source protocol='nbd'/>"))) ==
        "devices/disk[vdb]/source[@protocol='nbd']");
  CHECK(refused_element(guest(disk("type='vhostuser' device='disk'", ""))) ==
        "devices/disk[vdb][@type='vhostuser']");
  CHECK(refused_element(guest(disk("type='block' device='lun'",
                                   "<driver type='raw'/><source dev='/dev/sdz'/>"))) ==
        "devices/disk[vdb][@device='lun']");
  CHECK(refused_element(guest(disk(
            file, "<driver type='qcow2'/><source file='/a'><encryption/></source>"))) ==
        "devices/disk[vdb]/encryption");
  CHECK(refused_element(guest(
            disk(file, "<driver type='qcow2'/><source file='/a'/><transient/>"))) ==
        "devices/disk[vdb]/transient");
  CHECK(
      refused_element(guest(disk(file, "<driver type='vmdk'/><source file='/a'/>"))) ==
      "devices/disk[vdb]/driver[@type='vmdk']");
  CHECK(refused_element(guest(disk(file, "<driver type='raw'/>"))) ==
        "devices/disk[vdb]/source");
  CHECK(refused_element(guest(disk(file,
                                   "<driver type='qcow2'/><source file='/a'/>"
                                   "<encryption format='luks'/>"))) ==
        "devices/disk[vdb]/encryption");
  CHECK(refused_element(guest(disk(
            file,
            "<driver type='qcow2'/><source file='/a'/><backingStore type='network'>"
            "<format type='raw'/><source protocol='nbd'/></backingStore>"))) ==
        "devices/disk[vdb]/backingStore[@type='network']");
  CHECK(refused_element(guest("", R"(<tpm><backend type='emulator' version='2.0'>
            <source type='file' path='/srv/state'/></backend></tpm>)")) ==
        "devices/tpm/backend/source");
  CHECK(refused_element(R"(<domain><name>a</name>
          <uuid>7e57ab1e-0000-4000-8000-000000000001</uuid>
          <os><nvram type='network'><source protocol='iscsi'/></nvram></os>
          <devices/></domain>)") == "os/nvram[@type='network']");
  CHECK(refused_element(
            guest("", "<tpm><backend type='emulator' version='1.2'/></tpm>")) ==
        "devices/tpm/backend[@version='1.2']");
  CHECK(refused_element(guest("", "<tpm><backend type='passthrough'/></tpm>")) ==
        "devices/tpm/backend[@type='passthrough']");
}

TEST_CASE("a disk that cannot be carried can be left out, a TPM cannot", "[vm]") {
  const std::string luks =
      disk("type='file' device='disk'",
           "<driver type='qcow2'/><source file='/a'><encryption/></source>");
  const VmDescription vm =
      read_domain_xml(guest(kDisk + luks), Missing::kRecorded).value().vm;
  REQUIRE(vm.disks.size() == 1);
  CHECK(vm.unread_disks == std::map<std::string, std::string>{
                               {"vdb", "a disk is encrypted by QEMU (LUKS)"}});
  CHECK_FALSE(read_domain_xml(guest("", "<tpm><backend type='passthrough'/></tpm>"),
                              Missing::kRecorded));
}

TEST_CASE("what is no domain's XML is corrupt", "[vm]") {
  for (const char* xml :
       {"", "<domain>", "<network/>", "<domain><devices/></domain>",
        R"(<domain><uuid>7e57ab1e-0000-4000-8000-000000000001</uuid></domain>)"}) {
    CAPTURE(xml);
    REQUIRE_FALSE(read_domain_xml(xml));
  }
}

}  // namespace sealift::vm
