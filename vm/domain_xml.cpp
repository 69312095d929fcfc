#include "vm/domain_xml.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "vm/xml.h"

namespace sealift::vm {

namespace {

constexpr const char* kSwtpmFolder = "/var/lib/libvirt/swtpm";

std::string attribute(const pugi::xml_node& node, const char* name) {
  return node.attribute(name).value();
}

base::Error refused(const std::string& element, std::string what) {
  return base::Error(base::ErrorCode::kRefused, std::move(what)).at("element", element);
}

base::Error refused_value(std::string element, const char* name,
                          const std::string& value, std::string what) {
  element.append("[@").append(name).append("='").append(value).append("']");
  return refused(element, std::move(what));
}

// The SCSI controllers that have an iothread, by index.
std::set<std::string> controllers_with_iothread(const pugi::xml_node& devices) {
  std::set<std::string> indexes;
  for (const pugi::xml_node controller : devices.children("controller")) {
    if (attribute(controller, "type") == "scsi" &&
        !controller.child("driver").attribute("iothread").empty()) {
      indexes.insert(attribute(controller, "index"));
    }
  }
  return indexes;
}

bool has_iothread(const pugi::xml_node& disk,
                  const std::set<std::string>& controllers) {
  const pugi::xml_node driver = disk.child("driver");
  if (!driver.attribute("iothread").empty() || !driver.child("iothreads").empty()) {
    return true;
  }
  return attribute(disk.child("target"), "bus") == "scsi" &&
         controllers.contains(attribute(disk.child("address"), "controller"));
}

// The path in <source>, empty for a pool volume and for no source at all.
std::string source_path(const pugi::xml_node& node, const std::string& type) {
  const pugi::xml_node source = node.child("source");
  return attribute(source, type == "block" ? "dev" : "file");
}

base::Result<std::vector<BackingFile>> read_backing(const pugi::xml_node& disk,
                                                    const std::string& element) {
  std::vector<BackingFile> chain;
  for (pugi::xml_node store = disk.child("backingStore");
       !store.child("source").empty(); store = store.child("backingStore")) {
    const std::string type = attribute(store, "type");
    if (type != "file" && type != "block") {
      return refused_value(
          element + "/backingStore", "type", type,
          "a disk lies on something that is neither file nor block device");
    }
    chain.push_back(
        {source_path(store, type), attribute(store.child("format"), "type")});
  }
  return chain;
}

base::Status refuse_what_cannot_be_read(const pugi::xml_node& disk,
                                        const std::string& element) {
  const std::string type = attribute(disk, "type");
  const std::string protocol = attribute(disk.child("source"), "protocol");
  if (type == "network" && protocol != "rbd") {
    return refused(element + "/source[@protocol='" + protocol + "']",
                   "a disk is on the network, and not in a Ceph cluster")
        .next("back up such a disk with its storage's own means, and detach it here");
  }
  if (type != "file" && type != "block" && type != "volume" && type != "network") {
    return refused(element + "[@type='" + type + "']",
                   "a disk is neither file nor block device nor RBD image")
        .next("back up such a disk with its storage's own means, and detach it here");
  }
  if (attribute(disk, "device") == "lun") {
    return refused(element + "[@device='lun']", "a disk is passed through as SCSI LUN");
  }
  if (!disk.child("encryption").empty() ||
      !disk.child("source").child("encryption").empty()) {
    return refused(element + "/encryption", "a disk is encrypted by QEMU (LUKS)");
  }
  if (!disk.child("transient").empty()) {
    return refused(element + "/transient", "a disk forgets what is written to it");
  }
  const std::string format = attribute(disk.child("driver"), "type");
  if (format != "qcow2" && format != "raw") {
    return refused(element + "/driver[@type='" + format + "']",
                   "a disk is neither qcow2 nor raw");
  }
  return base::Done{};
}

base::Status read_disk(const pugi::xml_node& node,
                       const std::set<std::string>& controllers, DomainFacts& facts) {
  Disk disk;
  disk.target = attribute(node.child("target"), "dev");
  const std::string element = "devices/disk[" + disk.target + "]";
  const std::string device = attribute(node, "device");
  if (device == "cdrom" || device == "floppy") {
    facts.vm.removable_targets.push_back(disk.target);
    return base::Done{};
  }
  RETURN_IF_ERROR(refuse_what_cannot_be_read(node, element));
  disk.type = attribute(node, "type");
  disk.bus = attribute(node.child("target"), "bus");
  disk.format = attribute(node.child("driver"), "type");
  disk.path = source_path(node, disk.type);
  disk.is_read_only = static_cast<bool>(node.child("readonly"));
  disk.is_shareable = static_cast<bool>(node.child("shareable"));
  disk.has_iothread = has_iothread(node, controllers);
  ASSIGN_OR_RETURN(disk.backing, read_backing(node, element));
  if (disk.type == "volume") {
    const pugi::xml_node source = node.child("source");
    facts.volumes[disk.target] = {attribute(source, "pool"),
                                  attribute(source, "volume")};
  } else if (disk.type == "network") {
    ASSIGN_OR_RETURN(disk.rbd, read_rbd_source(node, element));
    disk.path = disk.rbd->text();
  } else if (disk.path.empty()) {
    return refused(element + "/source", "a disk has no file");
  }
  facts.vm.disks.push_back(std::move(disk));
  return base::Done{};
}

base::Result<std::optional<Firmware>> read_firmware(const pugi::xml_node& os) {
  const pugi::xml_node loader = os.child("loader");
  const pugi::xml_node nvram = os.child("nvram");
  if (!loader && !nvram) return std::optional<Firmware>();
  Firmware firmware;
  firmware.loader = loader.child_value();
  firmware.is_secure_boot = attribute(loader, "secure") == "yes";
  firmware.nvram_template = attribute(nvram, "template");
  const std::string type = attribute(nvram, "type");
  if (!type.empty() && type != "file") {
    return refused("os/nvram[@type='" + type + "']", "the NVRAM is not a file");
  }
  firmware.nvram = type.empty() ? std::string(nvram.child_value())
                                : attribute(nvram.child("source"), "file");
  return std::optional(std::move(firmware));
}

base::Result<std::optional<Vtpm>> read_vtpm(const pugi::xml_node& devices,
                                            const base::Uuid& vm) {
  const pugi::xml_node tpm = devices.child("tpm");
  if (!tpm) return std::optional<Vtpm>();
  const pugi::xml_node backend = tpm.child("backend");
  const std::string type = attribute(backend, "type");
  if (type != "emulator") {
    return refused("devices/tpm/backend[@type='" + type + "']",
                   "the VM's TPM is not an emulated one, its state cannot be read");
  }
  Vtpm vtpm;
  vtpm.model = attribute(tpm, "model");
  vtpm.version = attribute(backend, "version");
  if (vtpm.version != "2.0") {
    return refused("devices/tpm/backend[@version='" + vtpm.version + "']",
                   "the VM's TPM is not a TPM 2.0");
  }
  const pugi::xml_node source = backend.child("source");
  if (!source.empty() && attribute(source, "type") != "dir") {
    return refused("devices/tpm/backend/source", "the vTPM state lies in no folder");
  }
  vtpm.state_directory = source
                             ? std::filesystem::path(attribute(source, "path"))
                             : std::filesystem::path(kSwtpmFolder) / vm.text() / "tpm2";
  if (const pugi::xml_node encryption = backend.child("encryption")) {
    ASSIGN_OR_RETURN(vtpm.secret, base::Uuid::parse(attribute(encryption, "secret")));
  }
  return std::optional(std::move(vtpm));
}

}  // namespace

base::Result<DomainFacts> read_domain_xml(const std::string& xml, Missing missing) {
  ASSIGN_OR_RETURN(const XmlDocument document, parse_xml(xml));
  const pugi::xml_node domain = document->child("domain");
  const pugi::xml_node devices = domain.child("devices");
  if (!devices) {
    return base::Error(base::ErrorCode::kCorrupt, "not the XML of a domain");
  }
  DomainFacts facts;
  facts.vm.name = domain.child_value("name");
  ASSIGN_OR_RETURN(facts.vm.uuid, base::Uuid::parse(domain.child_value("uuid")));
  const std::set<std::string> controllers = controllers_with_iothread(devices);
  for (const pugi::xml_node disk : devices.children("disk")) {
    base::Status read = read_disk(disk, controllers, facts);
    if (read) continue;
    if (missing == Missing::kFails) {
      return std::move(read).error().next(kBackUpTheRest);
    }
    facts.vm.unread_disks[attribute(disk.child("target"), "dev")] = read.error().what();
  }
  for (const pugi::xml_node interface : devices.children("interface")) {
    facts.vm.mac_addresses.push_back(attribute(interface.child("mac"), "address"));
  }
  ASSIGN_OR_RETURN(facts.vm.firmware, read_firmware(domain.child("os")));
  ASSIGN_OR_RETURN(facts.vm.vtpm, read_vtpm(devices, facts.vm.uuid));
  return facts;
}

}  // namespace sealift::vm
