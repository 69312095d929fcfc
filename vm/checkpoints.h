// libvirt's checkpoints of a VM: instants from which QEMU notes what changes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "vm/connection.h"

namespace sealift::vm {

/// Names of all of them, also other programs'; a parent before its children.
/// errors  kHypervisor.
base::Result<std::vector<std::string>> list_checkpoints(const Domain& domain);

/// Makes the checkpoint that `xml` describes. The VM must be running.
/// errors  kHypervisor.
base::Status create_checkpoint(const Domain& domain, const std::string& xml);

/// What one bit of a new bitmap stands for, of an image with clusters of this size:
/// QEMU takes a cluster, from 4 to 64 KiB (bdrv_get_default_bitmap_granularity).
std::uint64_t bytes_of_a_bit(std::uint64_t cluster_size);

/// Bytes that changed on each disk of the checkpoint since then, in units of its
/// bitmap, by target; none where the bitmap is missing or broken. The VM must be
/// running.
/// errors  kHypervisor: there is no such checkpoint, or libvirt does not say.
base::Result<std::map<std::string, std::optional<std::uint64_t>>> changed_since(
    const Domain& domain, const std::string& name);

/// Removes the bitmaps of a checkpoint that libvirt has forgotten from disks of a VM
/// that runs: libvirt is told of it, and has it deleted.
/// errors  kHypervisor.
base::Status remove_forgotten(const Domain& domain, const std::string& name,
                              const std::vector<std::string>& targets,
                              const std::vector<std::string>& other_targets);

}  // namespace sealift::vm
