// The disks of a capture, ready to be read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vm/capture_plan.h"
#include "vm/disk_source.h"
#include "vm/guard_process.h"

namespace sealift::vm {

/// `plan` was carried out: job and overlays are there. It, the domain and the guard
/// outlive the disks.
/// since   The bitmap of tracked disks that are read from their frozen images.
/// errors  kHypervisor, kIo.
base::Result<std::vector<std::unique_ptr<DiskSource>>> open_captured_disks(
    const Connection& connection, const Domain& domain, const CapturePlan& plan,
    const std::string& since, GuardProcess& guard);

}  // namespace sealift::vm
