#include "vm/checkpoints.h"

#include <libvirt/virterror.h>

#include <algorithm>
#include <cstdlib>

#include "base/byte_count.h"
#include "vm/backup_xml.h"
#include "vm/xml.h"

namespace sealift::vm {

namespace {

using Checkpoint = base::Handle<virDomainCheckpoint, virDomainCheckpointFree>;

}  // namespace

base::Result<std::vector<std::string>> list_checkpoints(const Domain& domain) {
  virDomainCheckpointPtr* found = nullptr;
  const int count = virDomainListAllCheckpoints(domain.get(), &found,
                                                VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL);
  if (count < 0) {
    if (virGetLastErrorCode() == VIR_ERR_NO_SUPPORT) return std::vector<std::string>();
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot list the VM's checkpoints");
  }
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    const Checkpoint checkpoint(found[i]);
    names.emplace_back(virDomainCheckpointGetName(checkpoint.get()));
  }
  std::free(found);  // NOLINT(cppcoreguidelines-no-malloc): libvirt's way
  return names;
}

base::Status create_checkpoint(const Domain& domain, const std::string& xml) {
  const Checkpoint checkpoint(
      virDomainCheckpointCreateXML(domain.get(), xml.c_str(), 0));
  if (checkpoint) return base::Done{};
  return take_libvirt_error(base::ErrorCode::kHypervisor, "cannot make a checkpoint")
      .next("see /var/log/libvirt/qemu/ for QEMU's own words");
}

std::uint64_t bytes_of_a_bit(std::uint64_t cluster_size) {
  constexpr std::uint64_t kLeast = 4 * base::kKiB;
  constexpr std::uint64_t kMost = 64 * base::kKiB;
  return cluster_size == 0 ? kMost : std::clamp(cluster_size, kLeast, kMost);
}

base::Result<std::map<std::string, std::optional<std::uint64_t>>> changed_since(
    const Domain& domain, const std::string& name) {
  const Checkpoint checkpoint(
      virDomainCheckpointLookupByName(domain.get(), name.c_str(), 0));
  const Text xml(checkpoint
                     ? virDomainCheckpointGetXMLDesc(
                           checkpoint.get(), VIR_DOMAIN_CHECKPOINT_XML_SIZE |
                                                 VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN)
                     : nullptr);
  if (!xml) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot ask what changed since a checkpoint")
        .at("checkpoint", name);
  }
  ASSIGN_OR_RETURN(const XmlDocument document, parse_xml(xml.get()));
  std::map<std::string, std::optional<std::uint64_t>> changed;
  for (const pugi::xml_node disk :
       document->child("domaincheckpoint").child("disks").children("disk")) {
    if (std::string_view(disk.attribute("checkpoint").value()) != "bitmap") continue;
    const pugi::xml_attribute size = disk.attribute("size");
    auto& bytes = changed[disk.attribute("name").value()];
    if (size) bytes = size.as_ullong();
  }
  return changed;
}

base::Status remove_forgotten(const Domain& domain, const std::string& name,
                              const std::vector<std::string>& targets,
                              const std::vector<std::string>& other_targets) {
  const std::string xml =
      checkpoint_xml(name, targets, other_targets, CheckpointState::kForgotten);
  const Checkpoint checkpoint(virDomainCheckpointCreateXML(
      domain.get(), xml.c_str(), VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE));
  if (checkpoint && virDomainCheckpointDelete(checkpoint.get(), 0) == 0) {
    return base::Done{};
  }
  base::Error error = take_libvirt_error(
      base::ErrorCode::kHypervisor, "cannot remove a forgotten checkpoint's bitmap");
  if (checkpoint) {
    static_cast<void>(virDomainCheckpointDelete(
        checkpoint.get(), VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY));
  }
  return std::move(error).at("checkpoint", name);
}

}  // namespace sealift::vm
