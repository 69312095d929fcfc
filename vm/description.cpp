#include "vm/description.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "vm/domain_xml.h"
#include "vm/image_file_source.h"
#include "vm/image_info.h"
#include "vm/live_disks.h"
#include "vm/xml.h"

namespace sealift::vm {

namespace {

constexpr std::size_t kChainLimit = 64;
constexpr const char* kSaveFolder = "/var/lib/libvirt/qemu/save";

using Pool = base::Handle<virStoragePool, virStoragePoolFree>;
using Volume = base::Handle<virStorageVol, virStorageVolFree>;

base::Result<std::string> read_xml(const Domain& domain, unsigned flags) {
  const Text xml(virDomainGetXMLDesc(domain.get(), flags | VIR_DOMAIN_XML_SECURE));
  if (!xml) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot read the VM's definition");
  }
  return std::string(xml.get());
}

base::Result<RunState> read_state(const Domain& domain) {
  int state = 0;
  const int is_saved = virDomainHasManagedSaveImage(domain.get(), 0);
  if (is_saved < 0 || virDomainGetState(domain.get(), &state, nullptr, 0) != 0) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot read the VM's state");
  }
  switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
    case VIR_DOMAIN_SHUTDOWN:
      return RunState::kRunning;
    case VIR_DOMAIN_PAUSED:
    case VIR_DOMAIN_PMSUSPENDED:
    case VIR_DOMAIN_CRASHED:  // Its QEMU is kept: it stands still like a paused one.
      return RunState::kPaused;
    default:
      return is_saved == 1 ? RunState::kManagedSave : RunState::kShutOff;
  }
}

base::Status locate_volume(const Connection& connection, const PoolVolume& place,
                           Disk& disk) {
  const Pool pool(virStoragePoolLookupByName(connection.get(), place.pool.c_str()));
  const Volume volume(pool ? virStorageVolLookupByName(pool.get(), place.volume.c_str())
                           : nullptr);
  const Text path(volume ? virStorageVolGetPath(volume.get()) : nullptr);
  if (!path) {
    return take_libvirt_error(base::ErrorCode::kIo, "cannot find a storage volume")
        .at("volume", place.volume)
        .at("pool", place.pool);
  }
  disk.path = path.get();
  struct stat found {};
  if (::stat(disk.path.c_str(), &found) != 0) {
    return base::system_error(errno, "cannot read a disk image")
        .at("file", disk.path.string());
  }
  if (!S_ISREG(found.st_mode) && !S_ISBLK(found.st_mode)) {
    return base::Error(base::ErrorCode::kRefused,
                       "a storage volume is neither file nor block device")
        .at("volume", place.volume)
        .at("pool", place.pool);
  }
  disk.type = S_ISBLK(found.st_mode) ? "block" : "file";
  return base::Done{};
}

// Follows the images themselves; where one does not state its backing file's format,
// the live XML does. QEMU would probe, and a guest can write what is probed.
base::Status read_chain(Disk& disk) {
  const std::vector<BackingFile> stated = std::move(disk.backing);
  disk.backing.clear();
  ASSIGN_OR_RETURN(ImageInfo info, read_image_info(disk.path, disk.format));
  disk.size = info.size;
  struct stat found {};
  if (::stat(disk.path.c_str(), &found) == 0 && S_ISREG(found.st_mode)) {
    disk.inode = found.st_ino;
  }
  disk.can_hold_bitmaps = info.can_hold_bitmaps;
  disk.cluster_size = info.cluster_size;
  disk.bitmaps = info.bitmaps;
  while (!info.backing.empty()) {
    const std::size_t depth = disk.backing.size();
    if (depth == kChainLimit) {
      return base::Error(base::ErrorCode::kRefused, "a disk's backing chain has no end")
          .at("file", info.backing.string());
    }
    std::string format = info.backing_format;
    if (format.empty() && depth < stated.size()) format = stated[depth].format;
    if (format != "qcow2" && format != "raw") {
      return base::Error(base::ErrorCode::kRefused,
                         format.empty() ? "an image does not state the format of its "
                                          "backing file"
                                        : "a backing file is neither qcow2 nor raw")
          .at("backing file", info.backing.string())
          .next("with the VM off, state it: qemu-img rebase -u -f qcow2 -F FORMAT -b " +
                info.backing.string() + " IMAGE");
    }
    disk.backing.push_back({info.backing, format});
    ASSIGN_OR_RETURN(info, read_image_info(info.backing, format));
  }
  return base::Done{};
}

base::Status measure_network_disk(const Connection& connection, const Domain& domain,
                                  const RunState state, Disk& disk) {
  if (state == RunState::kRunning || state == RunState::kPaused) {
    virDomainBlockInfo info{};
    if (virDomainGetBlockInfo(domain.get(), disk.target.c_str(), &info, 0) != 0) {
      return take_libvirt_error(base::ErrorCode::kHypervisor,
                                "cannot ask for a disk's size");
    }
    disk.size = info.capacity;
    return base::Done{};
  }
  ASSIGN_OR_RETURN(disk.size, measure_image(connection, disk));
  return base::Done{};
}

// Nothing was touched yet, and trying again will not help: a reason to refuse.
base::Error unreadable(base::Error error) {
  if (error.code() != base::ErrorCode::kIo) return error;
  base::Error refused(base::ErrorCode::kRefused, error.what());
  for (const auto& place : error.places()) refused.at(place.kind, place.name);
  for (const auto& step : error.next_steps()) refused.next(step);
  return std::move(refused).because(error.cause());
}

base::Status complete_disk(const Connection& connection, const Domain& domain,
                           const DomainFacts& facts, RunState state, Disk& disk) {
  if (disk.rbd) return measure_network_disk(connection, domain, state, disk);
  const auto volume = facts.volumes.find(disk.target);
  if (volume != facts.volumes.end()) {
    RETURN_IF_ERROR(locate_volume(connection, volume->second, disk));
  }
  return read_chain(disk);
}

// What would be started from the saved memory has the disks that it was saved with.
base::Status refuse_other_disks(const Domain& domain, const std::string& inactive_xml) {
  const Text saved(
      virDomainManagedSaveGetXMLDesc(domain.get(), VIR_DOMAIN_SAVE_IMAGE_XML_SECURE));
  if (!saved) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot read the definition in the VM's saved memory");
  }
  ASSIGN_OR_RETURN(const LiveDisks disks, with_live_disks(inactive_xml, saved.get()));
  std::string targets;
  for (const auto* list : {&disks.only_live, &disks.only_stored}) {
    for (const std::string& target : *list) {
      targets += (targets.empty() ? "" : ", ") + target;
    }
  }
  if (targets.empty()) return base::Done{};
  return base::Error(base::ErrorCode::kRefused,
                     "the VM was saved with other disks than its definition has")
      .at("disk", targets)
      .next("start the VM, and back it up while it runs");
}

bool may_be_left_out(const base::Error& error) {
  return error.code() == base::ErrorCode::kRefused ||
         error.code() == base::ErrorCode::kNotFound;
}

std::string words_of(const base::Error& error) {
  std::string words = error.what();
  for (const auto& place : error.places()) {
    words += ", " + std::string(place.kind) + " " + place.name;
  }
  return words;
}

base::Result<VmDescription> describe_by_name(const Connection& connection,
                                             const Domain& domain, Missing missing) {
  ASSIGN_OR_RETURN(const RunState state, read_state(domain));
  const bool is_active = state == RunState::kRunning || state == RunState::kPaused;
  ASSIGN_OR_RETURN(std::string inactive, read_xml(domain, VIR_DOMAIN_XML_INACTIVE));
  std::string active;
  if (is_active) {
    ASSIGN_OR_RETURN(active, read_xml(domain, 0));
  }
  ASSIGN_OR_RETURN(DomainFacts facts,
                   read_domain_xml(is_active ? active : inactive, missing));
  VmDescription vm = std::move(facts.vm);
  vm.state = state;
  vm.inactive_xml = std::move(inactive);
  vm.active_xml = std::move(active);
  if (state == RunState::kManagedSave) {
    RETURN_IF_ERROR(refuse_other_disks(domain, vm.inactive_xml));
    vm.managed_save = std::filesystem::path(kSaveFolder) / (vm.name + ".save");
  }
  std::vector<Disk> readable;
  for (Disk& disk : vm.disks) {
    auto status = complete_disk(connection, domain, facts, state, disk);
    if (status) {
      readable.push_back(std::move(disk));
      continue;
    }
    base::Error error = unreadable(std::move(status).error());
    if (!may_be_left_out(error)) return std::move(error).at("disk", disk.target);
    if (missing == Missing::kFails) {
      return std::move(error).at("disk", disk.target).next(kBackUpTheRest);
    }
    vm.unread_disks[disk.target] = words_of(error);
  }
  vm.disks = std::move(readable);
  return vm;
}

}  // namespace

base::Result<VmDescription> describe(const Connection& connection, const Domain& domain,
                                     Missing missing) {
  auto vm = describe_by_name(connection, domain, missing);
  if (!vm) return std::move(vm).error().at("vm", virDomainGetName(domain.get()));
  return vm;
}

}  // namespace sealift::vm
