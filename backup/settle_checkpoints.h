// The checkpoints of a VM once its snapshot is stored.
#pragma once

#include <string>
#include <vector>

#include "vm/capture.h"

namespace sealift::backup {

/// The newest checkpoint is enough: those of the earlier snapshots that `options` knows
/// are deleted, and bitmaps of ours whose checkpoint libvirt has forgotten (after a
/// crash of QEMU, or because another tool deleted its record alone).
///
/// description  Of the running VM, before its capture.
/// return  For people: what could not be deleted.
std::vector<std::string> settle_checkpoints(const vm::Domain& domain,
                                            const vm::VmDescription& description,
                                            const vm::CaptureOptions& options);

}  // namespace sealift::backup
