#include "backup/estimate.h"

#include <algorithm>

#include "backup/change_tracking.h"
#include "backup/fresh_catalog.h"
#include "backup/sample_check.h"
#include "vm/checkpoints.h"

namespace sealift::backup {

namespace {

// What an image takes up on its storage: of a sparse one less than the guest sees.
std::uint64_t allocated(const vm::Domain& domain, const vm::Disk& disk) {
  virDomainBlockInfo info{};
  const bool is_known =
      virDomainGetBlockInfo(domain.get(), disk.target.c_str(), &info, 0) == 0;
  return is_known && info.allocation > 0 ? std::uint64_t{info.allocation} : disk.size;
}

DiskEstimate estimate_changes(const vm::Disk& disk, const ChangeTracking& tracking,
                              std::uint32_t chunk_size) {
  const archive::TreeShape shape(disk.size, chunk_size);
  DiskEstimate estimate;
  estimate.bytes = tracking.changed.at(disk.target);
  estimate.sample = std::min(disk.size, most_sampled(shape) * chunk_size);
  // What changed is not in the sample.
  estimate.at_most = std::min(
      disk.size,
      estimate.sample + most_of_changes(estimate.bytes,
                                        vm::bytes_of_a_bit(disk.cluster_size), shape));
  estimate.is_changes = true;
  estimate.reason = "what changed since snapshot " + tracking.earlier_id.hex();
  return estimate;
}

DiskEstimate estimate_whole(const vm::Domain& domain, const vm::Disk& disk,
                            const ChangeTracking& tracking) {
  DiskEstimate estimate;
  estimate.bytes = allocated(domain, disk);
  estimate.at_most = disk.size;
  const auto reason = tracking.whole.find(disk.target);
  if (reason != tracking.whole.end()) estimate.reason = reason->second;
  return estimate;
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
  const std::uint32_t chunk_size =
      environment.repository.document().settings.chunk_size;
  std::vector<DiskEstimate> disks;
  for (const vm::Disk& disk : description.disks) {
    DiskEstimate estimate = tracking.targets.contains(disk.target)
                                ? estimate_changes(disk, tracking, chunk_size)
                                : estimate_whole(domain, disk, tracking);
    estimate.target = disk.target;
    disks.push_back(std::move(estimate));
  }
  return disks;
}

}  // namespace

std::uint64_t most_of_changes(std::uint64_t noted, std::uint64_t bit,
                              const archive::TreeShape& shape) {
  const std::uint64_t pieces = (noted + bit - 1) / bit;
  const std::uint64_t chunks = std::min(
      shape.chunks(), pieces * std::max<std::uint64_t>(1, bit / shape.chunk_size()));
  return std::min(shape.size(), chunks * shape.chunk_size());
}

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
