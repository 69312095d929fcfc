#include "vm/overlay.h"

#include <libvirt/virterror.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include "base/subprocess.h"
#include "vm/image_info.h"
#include "vm/undo_capture.h"
#include "vm/xml.h"

namespace sealift::vm {

namespace {

constexpr auto kCommitLimit = std::chrono::minutes(30);
constexpr auto kProgramLimit = std::chrono::seconds(60);
constexpr auto kPoll = std::chrono::milliseconds(50);

base::Error libvirt_refused(std::string what, const Overlay& overlay) {
  return take_libvirt_error(base::ErrorCode::kHypervisor, std::move(what))
      .at("overlay", overlay.path.string())
      .at("disk", overlay.target);
}

base::Result<XmlDocument> read_domain(const Domain& domain, unsigned flags) {
  const Text xml(virDomainGetXMLDesc(domain.get(), flags));
  if (!xml) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot read the VM's definition");
  }
  return parse_xml(xml.get());
}

pugi::xml_node find_disk(const XmlDocument& document, const std::string& target) {
  for (const pugi::xml_node disk :
       document->child("domain").child("devices").children("disk")) {
    if (disk.child("target").attribute("dev").value() == target) return disk;
  }
  return {};
}

bool is_in_use(const XmlDocument& document, const Overlay& overlay) {
  return find_disk(document, overlay.target)
             .child("source")
             .attribute("file")
             .value() == overlay.path.string();
}

base::Status create_image(const std::vector<std::string>& arguments,
                          const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const base::ProgramOutput run,
                   base::run_program(arguments, kProgramLimit));
  if (run.exit_status == 0) return base::Done{};
  return base::Error(base::ErrorCode::kIo, "cannot create a file for QEMU")
      .at("file", path.string())
      .because(run.error_output);
}

// Pivots once base and overlay are the same; libvirt refuses before.
base::Status pivot(const Domain& domain, const Overlay& overlay) {
  const auto deadline = std::chrono::steady_clock::now() + kCommitLimit;
  while (true) {
    virDomainBlockJobInfo job{};
    const int found =
        virDomainGetBlockJobInfo(domain.get(), overlay.target.c_str(), &job, 0);
    if (found < 0) return libvirt_refused("cannot ask for a disk's job", overlay);
    if (found == 0) break;  // It ended by itself: the caller looks how.
    // An empty overlay has nothing to copy and is ready at 1 of 1, never at 0 of 0.
    const bool is_ready = job.end > 0 && job.cur == job.end;
    if (is_ready && virDomainBlockJobAbort(domain.get(), overlay.target.c_str(),
                                           VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT) == 0) {
      break;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return libvirt_refused("an overlay cannot be merged back", overlay);
    }
    std::this_thread::sleep_for(kPoll);
  }
  return base::Done{};
}

base::Status commit_live(const Domain& domain, const Overlay& overlay) {
  virDomainBlockJobInfo job{};
  const int found =
      virDomainGetBlockJobInfo(domain.get(), overlay.target.c_str(), &job, 0);
  if (found <= 0 &&
      virDomainBlockCommit(
          domain.get(), overlay.target.c_str(), nullptr, nullptr, 0,
          VIR_DOMAIN_BLOCK_COMMIT_ACTIVE | VIR_DOMAIN_BLOCK_COMMIT_SHALLOW) != 0) {
    return libvirt_refused("an overlay cannot be merged back", overlay);
  }
  return pivot(domain, overlay);
}

base::Status commit_offline(const Domain& domain, const Overlay& overlay) {
  ASSIGN_OR_RETURN(const ImageInfo info, read_image_info(overlay.path, "qcow2"));
  ASSIGN_OR_RETURN(const base::ProgramOutput run,
                   base::run_program({"qemu-img", "commit", "-q", "-f", "qcow2",
                                      overlay.path.string()},
                                     kCommitLimit));
  if (run.exit_status != 0) {
    return base::Error(base::ErrorCode::kIo, "an overlay cannot be merged back")
        .at("overlay", overlay.path.string())
        .because(run.error_output);
  }
  ASSIGN_OR_RETURN(
      const XmlDocument document,
      read_domain(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE));
  pugi::xml_node disk = find_disk(document, overlay.target);
  std::error_code ignored;
  const bool is_device = std::filesystem::is_block_file(overlay.base, ignored);
  disk.attribute("type").set_value(is_device ? "block" : "file");
  pugi::xml_node source = disk.child("source");
  source.remove_attribute("file");
  source.append_attribute(is_device ? "dev" : "file").set_value(overlay.base.c_str());
  // libvirt need not have kept what the overlay lies on; the overlay itself states it.
  disk.child("driver").attribute("type").set_value(info.backing_format.c_str());
  disk.remove_child("backingStore");
  // The connection stays the domain's: it is not to be released here.
  const Domain defined(virDomainDefineXML(virDomainGetConnect(domain.get()),
                                          write_xml(*document).c_str()));
  if (!defined) return libvirt_refused("cannot give a disk its image back", overlay);
  return base::Done{};
}

}  // namespace

base::Status make_image(const std::filesystem::path& path, std::uint64_t size) {
  return create_image(
      {"qemu-img", "create", "-q", "-f", "qcow2", path.string(), std::to_string(size)},
      path);
}

base::Status make_overlay(const Overlay& overlay, const Disk& disk) {
  // -u: the image below is locked by the VM, and everything about it is known.
  const auto create = [&](const char* options) {
    return create_image({"qemu-img", "create", "-q", "-u", "-f", "qcow2", "-o", options,
                         "-F", disk.format, "-b", overlay.base.string(),
                         overlay.path.string(), std::to_string(disk.size)},
                        overlay.path);
  };
  // With subclusters of 4 KiB (QEMU 5.2) a guest's small write copies nothing from
  // below.
  if (create("extended_l2=on,cluster_size=128k")) return base::Done{};
  return create("cluster_size=64k");
}

base::Status freeze_under_overlays(const Domain& domain,
                                   const std::vector<Overlay>& overlays,
                                   const std::vector<std::string>& targets) {
  pugi::xml_document document;
  pugi::xml_node disks = document.append_child("domainsnapshot").append_child("disks");
  for (const std::string& target : targets) {
    pugi::xml_node disk = disks.append_child("disk");
    disk.append_attribute("name").set_value(target.c_str());
    const auto overlay =
        std::ranges::find(overlays, target, [](const Overlay& o) { return o.target; });
    if (overlay == overlays.end()) {
      disk.append_attribute("snapshot").set_value("no");
      continue;
    }
    disk.append_attribute("snapshot").set_value("external");
    disk.append_attribute("type").set_value("file");
    disk.append_child("driver").append_attribute("type").set_value("qcow2");
    disk.append_child("source").append_attribute("file").set_value(
        overlay->path.c_str());
  }
  using Snapshot = base::Handle<virDomainSnapshot, virDomainSnapshotFree>;
  const Snapshot snapshot(virDomainSnapshotCreateXML(
      domain.get(), write_xml(document).c_str(),
      VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA |
          VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC | VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT));
  if (!snapshot) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot put overlays over the disks");
  }
  return base::Done{};
}

base::Result<bool> is_base_frozen(const Domain& domain, const Overlay& overlay) {
  const auto definition = read_domain(domain, 0);
  if (!definition) {
    if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) return true;
    return definition.error();
  }
  if (!is_in_use(definition.value(), overlay)) return false;
  virDomainBlockJobInfo job{};
  // A VM that is off has no jobs, and is an error here.
  return virDomainGetBlockJobInfo(domain.get(), overlay.target.c_str(), &job, 0) <= 0;
}

base::Status commit_overlay(const Domain& domain, const Overlay& overlay) {
  const bool is_active = virDomainIsActive(domain.get()) == 1;
  const unsigned flags = is_active ? 0 : VIR_DOMAIN_XML_INACTIVE;
  ASSIGN_OR_RETURN(const XmlDocument before, read_domain(domain, flags));
  if (is_in_use(before, overlay)) {
    RETURN_IF_ERROR(is_active ? commit_live(domain, overlay)
                              : commit_offline(domain, overlay));
    ASSIGN_OR_RETURN(const XmlDocument after, read_domain(domain, flags));
    if (is_in_use(after, overlay)) {
      return base::Error(base::ErrorCode::kHypervisor, "an overlay was not merged back")
          .at("overlay", overlay.path.string())
          .at("disk", overlay.target);
    }
  }
  return remove_if_there(overlay.path);
}

}  // namespace sealift::vm
