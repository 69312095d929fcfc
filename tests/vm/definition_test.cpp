#include "vm/definition.h"

#include <algorithm>
#include <string>

#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

// What virt-install writes for a Trusted Launch guest, as libvirt 9 stores it.
std::string guest(const std::string& in_domain = "", const std::string& in_devices = "",
                  const std::string& name = "web 01 é") {
  return R"(<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>)" +
         name + R"(</name>
  <uuid>7e57ab1e-0000-4000-8000-000000000001</uuid>
  <metadata>
    <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
      <libosinfo:os id="http://debian.org/debian/12"/>
    </libosinfo:libosinfo>
  </metadata>
  <memory unit='KiB'>393216</memory>
  <currentMemory unit='KiB'>393216</currentMemory>
  <vcpu placement='static'>1</vcpu>
  <os firmware='efi'>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <firmware>
      <feature enabled='yes' name='enrolled-keys'/>
      <feature enabled='yes' name='secure-boot'/>
    </firmware>
    <loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader>
    <nvram template='/usr/share/OVMF/OVMF_VARS_4M.ms.fd'>/odd/place/web.fd</nvram>
    <boot dev='hd'/>
  </os>
  <features><acpi/><apic/><vmport state='off'/><smm state='on'/></features>
  <cpu mode='host-passthrough' check='none' migratable='on'/>
  <clock offset='utc'>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='pit' tickpolicy='delay'/>
    <timer name='hpet' present='no'/>
  </clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>
)" + in_domain +
         R"(
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none' discard='unmap'/>
      <source file='/srv/images/web.img'/>
      <backingStore type='file'><format type='raw'/><source file='/etc/shadow'/></backingStore>
      <target dev='vda' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/iso/debian.iso'/>
      <target dev='sda' bus='sata'/>
      <readonly/>
    </disk>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='pci' index='1' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='1' port='0x10'/>
    </controller>
    <interface type='network'>
      <mac address='52:54:00:12:34:56'/>
      <source network='default'/>
      <model type='virtio'/>
    </interface>
    <interface type='bridge'>
      <mac address='52:54:00:12:34:57'/>
      <source bridge='br0'/>
    </interface>
    <serial type='file'>
      <source path='/var/log/libvirt/web.console' append='on'/>
      <target type='isa-serial' port='0'><model name='isa-serial'/></target>
    </serial>
    <console type='pty'><target type='serial' port='0'/></console>
    <channel type='unix'>
      <source mode='bind' path='/var/lib/libvirt/qemu/channel/target/domain-1-web/org.qemu.guest_agent.0'/>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <input type='tablet' bus='usb'/>
    <tpm model='tpm-crb'>
      <backend type='emulator' version='2.0'>
        <encryption secret='5ec2e700-0000-4000-8000-000000000001'/>
      </backend>
    </tpm>
    <graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'>
      <listen type='address' address='127.0.0.1'/>
    </graphics>
    <audio id='1' type='none'/>
    <video><model type='virtio' heads='1' primary='yes'/></video>
    <memballoon model='virtio'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
)" + in_devices +
         R"(
  </devices>
</domain>)";
}

DefinitionPlaces target() {
  DefinitionPlaces places;
  places.disks["vda"] = {"/var/lib/libvirt/images/web.qcow2", "qcow2"};
  places.nvram = "/var/lib/libvirt/qemu/nvram/web_VARS.fd";
  places.emulators = {"/usr/bin/qemu-system-x86_64"};
  return places;
}

std::vector<std::string> blocked_elements(const std::string& xml,
                                          const DefinitionPlaces& places = target()) {
  std::vector<std::string> elements;
  const RebuiltDefinition rebuilt = rebuild_definition(xml, places).value();
  for (const Blocker& blocker : rebuilt.blockers) {
    elements.push_back(blocker.element);
  }
  return elements;
}

using Elements = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an ordinary guest is rebuilt without a blocker", "[vm][definition]") {
  const RebuiltDefinition rebuilt = rebuild_definition(guest(), target()).value();

  for (const Blocker& blocker : rebuilt.blockers) {
    UNSCOPED_INFO(blocker.element + ": " + blocker.reason);
  }
  REQUIRE(rebuilt.blockers.empty());

  SECTION("with its own name, devices and vTPM") {
    CHECK(holds(rebuilt.xml, "<name>web 01 é</name>"));
    CHECK(holds(rebuilt.xml, "7e57ab1e-0000-4000-8000-000000000001"));
    CHECK(holds(rebuilt.xml, "52:54:00:12:34:56"));
    CHECK(holds(rebuilt.xml, "secret=\"5ec2e700-0000-4000-8000-000000000001\""));
    CHECK(holds(rebuilt.xml, "/var/log/libvirt/web.console"));
    CHECK(holds(rebuilt.xml, "/dev/urandom"));
  }
  SECTION("with the target's places, and no path of the source") {
    CHECK(holds(rebuilt.xml, "file=\"/var/lib/libvirt/images/web.qcow2\""));
    CHECK(holds(rebuilt.xml, ">/var/lib/libvirt/qemu/nvram/web_VARS.fd</nvram>"));
    CHECK_FALSE(holds(rebuilt.xml, "/srv/"));
    CHECK_FALSE(holds(rebuilt.xml, "/odd/place"));
    CHECK_FALSE(holds(rebuilt.xml, "/etc/shadow"));
    CHECK_FALSE(holds(rebuilt.xml, "backingStore"));
    CHECK_FALSE(holds(rebuilt.xml, "/qemu/channel/"));
  }
  SECTION("with image formats stated") {
    CHECK(holds(rebuilt.xml, "type=\"qcow2\" cache=\"none\""));
  }
  SECTION("with the cdrom ejected, which a note says") {
    REQUIRE(rebuilt.notes.size() == 1);
    CHECK(rebuilt.notes.front() ==
          "cdrom sda: ejected, its medium is not part of the snapshot");
    CHECK(holds(rebuilt.xml, "device=\"cdrom\""));
  }
}

TEST_CASE("a rebuilt definition is a fixed point", "[vm][definition]") {
  const std::string once = rebuild_definition(guest(), target()).value().xml;
  const RebuiltDefinition twice = rebuild_definition(once, target()).value();
  CHECK(twice.blockers.empty());
  CHECK(twice.notes.empty());
  CHECK(twice.xml == once);
}

TEST_CASE("what a hostile host may write is a blocker that names the element",
          "[vm][definition]") {
  struct Hostile {
    std::string in_domain;
    std::string in_devices;
    std::string element;
  };
  const Hostile hostile = GENERATE(values<Hostile>({
      {"<qemu:commandline><qemu:arg value='-chardev'/></qemu:commandline>", "",
       "qemu:commandline"},
      {"<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'/>", "",
       "commandline"},
      {"<seclabel type='none'/>", "", "seclabel"},
      {"<sysinfo type='fwcfg'><entry name='opt/x' file='/etc/shadow'/></sysinfo>", "",
       "sysinfo"},
      {"<launchSecurity type='sev'/>", "", "launchSecurity"},
      {"<bootloader>/bin/sh</bootloader>", "", "bootloader"},
      {"<name>other</name>", "", "name[2]"},
      {"<memoryBacking><hugepages/></memoryBacking>", "", "memoryBacking/hugepages"},
      {"<resource><partition>/../x</partition></resource>", "", "resource/partition"},
      {"<idmap><uid start='0' target='0' count='1'/></idmap>", "", "idmap"},
      {"", "<hostdev mode='subsystem' type='usb'/>", "devices/hostdev[1]"},
      {"", "<filesystem type='mount'><source dir='/'/></filesystem>",
       "devices/filesystem[1]"},
      {"", "<shmem name='x'/>", "devices/shmem[1]"},
      {"", "<emulator>/tmp/qemu</emulator>", "devices/emulator[2]"},
      {"", "<disk type='network'><target dev='vdb'/></disk>", "devices/disk[vdb]"},
      {"", "<disk type='file' device='lun'><target dev='vdb'/></disk>",
       "devices/disk[vdb]"},
      {"",
       "<disk type='file'><source file='/x'><encryption format='luks'/></source>"
       "<target dev='vdb'/></disk>",
       "devices/disk[vdb]/source/encryption"},
      {"", "<disk type='file'><transient/><target dev='vdb'/></disk>",
       "devices/disk[vdb]/transient"},
      {"", "<disk type='file'><target dev='../vdb'/></disk>", "devices/disk[3]/target"},
      {"", "<serial type='file'><source path='/etc/cron.d/x'/></serial>",
       "devices/serial[2]/source"},
      {"",
       "<serial type='file'><source path='/var/log/libvirt/../../../etc/x'/></serial>",
       "devices/serial[2]/source"},
      {"", "<serial type='pty'><log file='/root/.ssh/authorized_keys'/></serial>",
       "devices/serial[2]/log"},
      {"", "<serial type='unix'/>", "devices/serial[2]"},
      {"", "<channel type='unix'><source mode='bind' path='/run/x.sock'/></channel>",
       "devices/channel[2]/source"},
      {"", "<rng model='virtio'><backend model='random'>/dev/sda</backend></rng>",
       "devices/rng[2]/backend"},
      {"", "<rng model='virtio'><backend model='egd' type='tcp'/></rng>",
       "devices/rng[2]/backend"},
      {"", "<input type='passthrough' bus='virtio'/>", "devices/input[2]"},
      {"", "<graphics type='egl-headless'/>", "devices/graphics[2]"},
      {"", "<graphics type='spice'><gl enable='yes' rendernode='/dev/x'/></graphics>",
       "devices/graphics[2]/gl"},
      {"", "<audio id='2' type='file' path='/etc/x'/>", "devices/audio[2]"},
      {"", "<interface type='vhostuser'/>", "devices/interface[3]"},
      {"", "<interface type='ethernet'><script path='/tmp/x'/></interface>",
       "devices/interface[3]/script"},
      {"", "<memory model='dimm'><source><path>/x</path></source></memory>",
       "devices/memory[1]"},
      {"", "<video><driver name='vhostuser'/><model type='virtio'/></video>",
       "devices/video[2]/driver"},
      {"", "<watchdog model='itco' onclick='x'/>", "devices/watchdog[1]"},
      {"", "<hub type='usb'>text</hub>", "devices/hub[1]"},
  }));
  CAPTURE(hostile.element);
  const Elements found = blocked_elements(guest(hostile.in_domain, hostile.in_devices));
  CHECK(std::ranges::find(found, hostile.element) != found.end());
}

TEST_CASE("a blocker says which of several elements it is, and why",
          "[vm][definition]") {
  struct Refused {
    std::string in_domain;
    Elements elements;
    std::string reason;
  };
  const Refused refused = GENERATE(values<Refused>({
      {"<hack/><hack/>", {"hack[1]", "hack[2]"}, "has no such element"},
      {"<iothreads>2</iothreads><iothreads>2</iothreads>",
       {"iothreads[2]"},
       "the element stands twice"},
      {"<memoryBacking>words</memoryBacking>", {"memoryBacking"}, "has no text there"},
      {"<iothreads odd='1'>2</iothreads>", {"iothreads"}, "has no attribute odd there"},
  }));
  const RebuiltDefinition rebuilt =
      rebuild_definition(guest(refused.in_domain), target()).value();
  CHECK(blocked_elements(guest(refused.in_domain)) == refused.elements);
  REQUIRE_FALSE(rebuilt.blockers.empty());
  CAPTURE(rebuilt.blockers.front().reason);
  CHECK(holds(rebuilt.blockers.front().reason, refused.reason));
}

TEST_CASE("an attribute that stands twice is a blocker", "[vm][definition]") {
  const RebuiltDefinition rebuilt =
      rebuild_definition(guest("", "<input type='mouse' type='mouse' bus='usb'/>"),
                         target())
          .value();
  REQUIRE(rebuilt.blockers.size() == 1);
  CHECK(rebuilt.blockers.front().element == "devices/input[2]");
  CHECK(holds(rebuilt.blockers.front().reason, "type stands twice"));
}

TEST_CASE("an element that is refused is not in the rebuilt definition",
          "[vm][definition]") {
  const std::string xml =
      guest("<qemu:commandline><qemu:arg value='-chardev'/></qemu:commandline>",
            "<hostdev mode='subsystem' type='usb' managed='yes'/>");
  const std::string rebuilt = rebuild_definition(xml, target()).value().xml;
  CHECK_FALSE(holds(rebuilt, "commandline"));
  CHECK_FALSE(holds(rebuilt, "hostdev"));
  CHECK_FALSE(holds(rebuilt, "xmlns:qemu"));
}

TEST_CASE("--allow-element lets an element through as it is", "[vm][definition]") {
  const std::string hostdev = R"(<hostdev mode="subsystem" type="usb" odd="1" />)";
  DefinitionPlaces places = target();

  SECTION("every one of a kind") {
    places.allowed_elements = {"devices/hostdev"};
    const std::string xml = guest("", hostdev + hostdev);
    CHECK(blocked_elements(xml, places).empty());
    CHECK(holds(rebuild_definition(xml, places).value().xml, hostdev));
  }
  SECTION("one by its index") {
    places.allowed_elements = {"devices/hostdev[2]"};
    CHECK(blocked_elements(guest("", hostdev + hostdev), places) ==
          Elements{"devices/hostdev[1]"});
  }
  SECTION("with the declaration of its prefix") {
    places.allowed_elements = {"qemu:commandline"};
    const RebuiltDefinition rebuilt =
        rebuild_definition(
            guest("<qemu:commandline><qemu:arg value='-x'/></qemu:commandline>"),
            places)
            .value();
    CHECK(rebuilt.blockers.empty());
    CHECK(holds(rebuilt.xml, "xmlns:qemu=\"http://libvirt.org/schemas/domain/qemu"));
    CHECK(holds(rebuilt.xml, "<qemu:arg value=\"-x\""));
  }
  SECTION("a disk and its parts still get the target's places") {
    places.allowed_elements = {"devices/disk", "os/nvram"};
    const std::string rebuilt = rebuild_definition(guest(), places).value().xml;
    CHECK(holds(rebuilt, "file=\"/var/lib/libvirt/images/web.qcow2\""));
    CHECK(holds(rebuilt, ">/var/lib/libvirt/qemu/nvram/web_VARS.fd</nvram>"));
    CHECK_FALSE(holds(rebuilt, "/srv/"));
    CHECK_FALSE(holds(rebuilt, "/etc/shadow"));
    CHECK_FALSE(holds(rebuilt, "/odd/place"));
  }
}

TEST_CASE("an element allowed in vain is told", "[vm][definition]") {
  DefinitionPlaces places = target();
  places.allowed_elements = {"devices/hostdve"};
  const RebuiltDefinition rebuilt = rebuild_definition(guest(), places).value();
  CHECK(rebuilt.blockers.empty());
  CHECK(std::ranges::count(rebuilt.notes,
                           "no element devices/hostdve is in the definition: "
                           "--allow-element had no effect") == 1);
}

TEST_CASE("names that would lead elsewhere are blockers", "[vm][definition]") {
  const std::string name =
      GENERATE(values<std::string>({"../x", "a/b", "..", ".", "/etc/passwd", "bell&#7;",
                                    "two&#10;lines", "\xff", "   "}));
  CAPTURE(name);
  CHECK(blocked_elements(guest("", "", name)) == Elements{"name"});
}

TEST_CASE("an emulator that the target does not name is a blocker",
          "[vm][definition]") {
  DefinitionPlaces places = target();
  places.emulators = {"/usr/libexec/qemu-kvm"};
  CHECK(blocked_elements(guest(), places) == Elements{"devices/emulator"});
}

TEST_CASE("a loader is taken from the firmware folders alone", "[vm][definition]") {
  const std::string loader =
      GENERATE(values<std::string>({"/tmp/evil.fd", "/usr/share/OVMF/../x.fd",
                                    "/usr/share/OVMF", "usr/share/OVMF/x.fd"}));
  std::string xml = guest();
  const std::string before = "/usr/share/OVMF/OVMF_CODE_4M.ms.fd";
  xml.replace(xml.find(before), before.size(), loader);
  CHECK(blocked_elements(xml) == Elements{"os/loader"});
}

TEST_CASE("what was no file becomes one, and a note says so", "[vm][definition]") {
  const auto [kind, words] = GENERATE(table<std::string, std::string>(
      {{"type='block'><source dev='/dev/mapper/vg-root'/>", "a block device"},
       {"type='network'><auth username='u'><secret type='ceph' uuid='s'/></auth>"
        "<source protocol='rbd' name='pool/image' tls='no'><host name='mon' port='1'/>"
        "<auth username='u'><secret type='ceph' uuid='s'/></auth>"
        "<snapshot name='x'/><config file='/etc/passwd'/></source>",
        "network storage"},
       {"type='volume'><source pool='p' volume='v'/>", "a volume of a storage pool"}}));
  DefinitionPlaces places = target();
  places.disks["vdb"] = {"/images/b.qcow2", "qcow2"};
  const RebuiltDefinition rebuilt =
      rebuild_definition(
          guest("", "<disk device='disk' " + kind + "<target dev='vdb'/></disk>"),
          places)
          .value();
  CHECK(rebuilt.blockers.empty());
  CHECK(holds(rebuilt.xml, "<source file=\"/images/b.qcow2\" />"));
  for (const std::string part : {"/dev/mapper", "rbd", "mon", "pool", "secret type=",
                                 "/etc/passwd", "network\" device", "volume"}) {
    CAPTURE(part);
    CHECK_FALSE(holds(rebuilt.xml, part));
  }
  CHECK(rebuilt.notes.back() ==
        "disk vdb: was " + words + ", becomes the file /images/b.qcow2");
}

TEST_CASE("an NVRAM template elsewhere is left out, and a note says so",
          "[vm][definition]") {
  std::string xml = guest();
  const std::string before = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd";
  xml.replace(xml.find(before), before.size(), "/root/own-keys.fd");
  const RebuiltDefinition rebuilt = rebuild_definition(xml, target()).value();
  CHECK(rebuilt.blockers.empty());
  CHECK_FALSE(holds(rebuilt.xml, "template="));
  REQUIRE(rebuilt.notes.size() == 2);
  CHECK(rebuilt.notes[1] ==
        "os/nvram: its template /root/own-keys.fd is left out, the NVRAM itself is "
        "restored");
}

TEST_CASE("a UEFI guest without its NVRAM is a blocker", "[vm][definition]") {
  DefinitionPlaces places = target();
  places.nvram.clear();
  CHECK(blocked_elements(guest(), places) == Elements{"os/nvram"});
}

TEST_CASE("a disk that the snapshot does not hold is a blocker", "[vm][definition]") {
  DefinitionPlaces places = target();
  places.disks.clear();
  CHECK(blocked_elements(guest(), places) == Elements{"devices/disk[vda]"});
}

TEST_CASE("a disk that the definition does not use is a blocker", "[vm][definition]") {
  DefinitionPlaces places = target();
  places.disks["vdb"] = {"/images/b.qcow2", "qcow2"};
  CHECK(blocked_elements(guest(), places) == Elements{"devices/disk[vdb]"});
  // A drive of that name is no place for it.
  places.disks.erase("vdb");
  places.disks["sda"] = {"/images/b.qcow2", "qcow2"};
  CHECK(blocked_elements(guest(), places) == Elements{"devices/disk[sda]"});
}

TEST_CASE("a shared disk becomes the VM's own, and a note says so",
          "[vm][definition]") {
  std::string xml = guest();
  const std::string before = "<target dev='vda' bus='virtio'/>";
  xml.replace(xml.find(before), before.size(), before + "<shareable/>");
  const RebuiltDefinition rebuilt = rebuild_definition(xml, target()).value();
  CHECK(rebuilt.blockers.empty());
  CHECK_FALSE(holds(rebuilt.xml, "shareable"));
  CHECK(std::ranges::count(rebuilt.notes,
                           "disk vda: was shared with other VMs, becomes this VM's own "
                           "copy") == 1);
}

TEST_CASE("two disks of one target are a blocker", "[vm][definition]") {
  CHECK(blocked_elements(guest("", "<disk type='file'><target dev='vda'/></disk>")) ==
        Elements{"devices/disk[vda]"});
}

TEST_CASE("what is no domain is refused", "[vm][definition]") {
  const std::string xml = GENERATE(values<std::string>(
      {"", "<domain>", "<network/>", "<domain/><domain/>",
       "<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/shadow'>]><domain/>",
       std::string("<domain/>\0", 10), std::string(2 << 20, ' ') + "<domain/>"}));
  CHECK(rebuild_definition(xml, target()).error().code() == base::ErrorCode::kCorrupt);
}

TEST_CASE("the facts of a definition are read for the plan", "[vm][definition]") {
  const DefinitionFacts facts = read_definition(guest()).value();
  CHECK(facts.name == "web 01 é");
  CHECK(facts.uuid.text() == "7e57ab1e-0000-4000-8000-000000000001");
  CHECK(facts.domain_type == "kvm");
  CHECK(facts.machine == "pc-q35-7.2");
  CHECK(facts.emulator == "/usr/bin/qemu-system-x86_64");
  CHECK(facts.loader == "/usr/share/OVMF/OVMF_CODE_4M.ms.fd");
  CHECK(facts.mac_addresses == Elements{"52:54:00:12:34:56", "52:54:00:12:34:57"});
  CHECK(facts.networks == Elements{"default"});
  CHECK(facts.bridges == Elements{"br0"});
  CHECK(facts.has_vtpm);
  CHECK(facts.has_nvram);
  CHECK(facts.tpm_secret == "5ec2e700-0000-4000-8000-000000000001");
  CHECK(read_definition("<domain><name>x</name></domain>").error().code() ==
        base::ErrorCode::kCorrupt);
  CHECK(read_definition("<domain><uuid>7e57ab1e-0000-4000-8000-000000000001</uuid>"
                        "</domain>")
            .error()
            .code() == base::ErrorCode::kCorrupt);
}

}  // namespace sealift::vm
