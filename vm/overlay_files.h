// Where the overlays of our captures lie, and which of them are still there.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "vm/capture_traces.h"
#include "vm/connection.h"
#include "vm/description.h"

namespace sealift::vm {

/// Where the overlay of a run of ours goes. Its name tells that it is ours.
/// `shared_folder`  For overlays of block devices, which lie in no folder for files;
/// the
///                  domain's own will not do: it goes with its content when the VM
///                  stops. Those of image files lie beside them.
Overlay plan_overlay(const Disk& disk, const base::Uuid& vm, const std::string& run,
                     const std::filesystem::path& shared_folder);

/// Overlays of ours that the VM's definition names as the images of its disks.
/// errors  kHypervisor, kCorrupt, kIo.
base::Result<std::vector<Overlay>> find_overlays(const Domain& domain);

/// Overlays of ours that no disk of the VM lies on, and that no QEMU has open.
/// errors  kHypervisor, kCorrupt, kIo.
base::Result<std::vector<std::filesystem::path>> find_unused_overlays(
    const Domain& domain, const base::Uuid& vm,
    const std::filesystem::path& shared_folder);

}  // namespace sealift::vm
