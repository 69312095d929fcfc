// What the snapshot of an exported VM is worth: what is proven, what is plausible, and
// what cannot be proven off the cluster.
#pragma once

#include <vector>

#include "archive/manifest.h"
#include "backup/exported_keys.h"
#include "vm/hyperv_export.h"

namespace sealift::backup {

/// "none", "GspKey", "GspById", "empty", "unknown": kProtection of a guest state.
std::string protection_word(const vm::Vmgs& state);

/// Null: the VM has none.
const vm::Vmgs* guest_state_of(const vm::HypervExport& found, const vm::HypervVm& vm);

/// Whether the VM can never start again without its protection key.
bool needs_key(const vm::Vmgs* state);
/// The same of the VM or a checkpoint of it.
bool needs_key(const vm::HypervExport& found, const vm::HypervVm& vm);

/// One verdict for the whole, first, then one per component.
/// names  Of the components of vm.files, in their order.
std::vector<archive::Verdict> judge_export(const vm::HypervExport& found,
                                           const vm::HypervVm& vm,
                                           const std::vector<std::string>& names,
                                           const ChosenKeys& keys);

}  // namespace sealift::backup
