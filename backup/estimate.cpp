#include "backup/estimate.h"

#include "backup/change_tracking.h"
#include "backup/fresh_catalog.h"

namespace sealift::backup {

namespace {

// What an image takes up on its storage: of a sparse one less than the guest sees.
std::uint64_t allocated(const vm::Domain& domain, const vm::Disk& disk) {
  virDomainBlockInfo info{};
  const bool is_known =
      virDomainGetBlockInfo(domain.get(), disk.target.c_str(), &info, 0) == 0;
  return is_known && info.allocation > 0 ? std::uint64_t{info.allocation} : disk.size;
}

base::Result<std::vector<DiskEstimate>> estimate_disks(
    const BackupEnvironment& environment, const BackupRequest& request,
    const std::string& vm) {
  ASSIGN_OR_RETURN(const vm::Domain domain,
                   vm::find_domain(*environment.connection, vm));
  ASSIGN_OR_RETURN(const vm::VmDescription description,
                   vm::describe(*environment.connection, domain, request.missing));
  ASSIGN_OR_RETURN(const ChangeTracking tracking,
                   find_changes(environment, request, domain, description));
  std::vector<DiskEstimate> disks;
  for (const vm::Disk& disk : description.disks) {
    DiskEstimate estimate;
    estimate.target = disk.target;
    estimate.is_changes = tracking.targets.contains(disk.target);
    if (estimate.is_changes) {
      estimate.bytes = tracking.changed.at(disk.target);
      estimate.reason = "what changed since snapshot " + tracking.earlier_id.hex();
    } else {
      estimate.bytes = allocated(domain, disk);
      const auto reason = tracking.whole.find(disk.target);
      if (reason != tracking.whole.end()) estimate.reason = reason->second;
    }
    disks.push_back(std::move(estimate));
  }
  return disks;
}

}  // namespace

base::Result<std::vector<VmEstimate>> estimate_backup(BackupEnvironment& environment,
                                                      const BackupRequest& request) {
  ASSIGN_OR_RETURN(const auto warnings, refresh_catalog(environment));
  static_cast<void>(warnings);  // The backup says them.
  std::vector<VmEstimate> estimates;
  for (const std::string& vm : request.vms) {
    VmEstimate estimate;
    estimate.vm = vm;
    auto disks = estimate_disks(environment, request, vm);
    if (disks) {
      estimate.disks = std::move(disks).value();
    } else {
      estimate.error = std::move(disks).error();
    }
    estimates.push_back(std::move(estimate));
  }
  return estimates;
}

}  // namespace sealift::backup
