#include "vm/capture_disks.h"

#include <algorithm>

#include "vm/capture_ended.h"
#include "vm/checkpoints.h"
#include "vm/image_file_source.h"
#include "vm/nbd_disk_source.h"

namespace sealift::vm {

namespace {

// QEMU's server takes 100 clients (since the fix of CVE-2024-7409).
constexpr unsigned kMostConnections = 64;
constexpr unsigned kMostConnectionsOfDisk = 8;

unsigned connections_of_each(const CapturePlan& plan) {
  const auto pulled = std::ranges::count(plan.disks, Way::kPull,
                                         [](const auto& disk) { return disk.second; });
  const auto share = kMostConnections / std::max(1U, static_cast<unsigned>(pulled));
  return std::clamp(share, 2U, kMostConnectionsOfDisk + 1) - 1;
}

}  // namespace

base::Result<std::vector<std::unique_ptr<DiskSource>>> open_captured_disks(
    const Connection& connection, const Domain& domain, const CapturePlan& plan,
    const std::string& since, GuardProcess& guard) {
  const unsigned connections = connections_of_each(plan);
  std::vector<std::unique_ptr<DiskSource>> sources;
  for (const auto& [disk, way] : plan.disks) {
    const bool is_tracked = plan.tracked.contains(disk.target);
    if (way == Way::kPull) {
      sources.push_back(open_pulled_disk(
          disk, plan.traces.socket, is_tracked ? exported_bitmap(disk.target) : "",
          guard, connections, [&domain, &plan](base::Error error) {
            return explain_reading(domain, plan.traces, std::move(error));
          }));
    } else {
      ASSIGN_OR_RETURN(auto source,
                       open_image_files(connection, disk, is_tracked ? since : ""));
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

}  // namespace sealift::vm
