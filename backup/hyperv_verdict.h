// What the snapshot of an exported VM is worth: what is proven, what is plausible, and
// what cannot be proven off the cluster.
#pragma once

#include <vector>

#include "archive/manifest.h"
#include "backup/exported_keys.h"
#include "vm/guest_state_protection.h"
#include "vm/hyperv_export.h"

namespace sealift::backup {

/// What protects the VM's guest state, not a checkpoint's.
vm::GuestStateProtection own_protection(const vm::HypervExport& found,
                                        const vm::HypervVm& vm);

/// Whether the file is a guest state that may never open again without its VM's
/// protection key.
bool needs_key(const vm::InspectedFile& file);
/// The same of the guest states of the VM and its checkpoints.
bool needs_key(const vm::HypervExport& found, const vm::HypervVm& vm);

/// One verdict for the whole, first, then one per component.
/// names  Of the components of vm.files, in their order.
std::vector<archive::Verdict> judge_export(const vm::HypervExport& found,
                                           const vm::HypervVm& vm,
                                           const std::vector<std::string>& names,
                                           const ChosenKeys& keys);

}  // namespace sealift::backup
