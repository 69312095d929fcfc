#include "backup/hyperv_verdict.h"

#include <algorithm>

namespace sealift::backup {

namespace {

using vm::GuestStateProtection;

constexpr const char* kNotProvable =
    "not provable off the cluster: that the protection key opens the guest state";
constexpr const char* kBoundToHost =
    "the guest state is bound to a seed of its host (GspById), which no key vault "
    "holds: on another cluster the vTPM does not open";

archive::Verdict guest_state_verdict(GuestStateProtection protection) {
  constexpr const char* kWhat = "guest-state";
  const std::string encrypted = "proven: structure; encrypted, protected by ";
  switch (protection) {
    case GuestStateProtection::kAbsent:
      return {kWhat, "absent", "the VM's configuration names none"};
    case GuestStateProtection::kEmpty:
      return {kWhat, "complete", "empty: the VM was never started"};
    case GuestStateProtection::kNone:
      return {kWhat, "complete",
              "proven: structure; not encrypted: whoever has the file has the vTPM"};
    case GuestStateProtection::kGspById:
      return {kWhat, "complete", kBoundToHost};
    case GuestStateProtection::kGspKey:
      return {kWhat, "complete", encrypted + "the cluster's key vault (GspKey)"};
    case GuestStateProtection::kUnknown:
      break;
  }
  return {kWhat, "complete", encrypted + "something that the file does not name"};
}

archive::Verdict key_verdict(bool is_needed, const ChosenKeys& keys) {
  if (!keys.has_vm_key) {
    return {"protection-key", "absent", "the guest state needs none"};
  }
  if (!is_needed) {
    return {"protection-key", "complete", "kept, though the guest state needs none"};
  }
  const std::string whose =
      keys.is_assumed ? "assumed: the file's name does not say whose key it is; it "
                      : "plausible: the file is named after the VM, ";
  return {"protection-key", "complete",
          whose +
              "has the size of an AES-256 key, and is wrapped to a recipient of the "
              "repository; " +
              kNotProvable};
}

archive::Verdict file_verdict(const vm::InspectedFile& file, const std::string& name) {
  if (const auto* disk = std::get_if<vm::Vhdx>(&file.content)) {
    return {"disk " + name, "complete",
            disk->has_log ? "it was not closed properly: as after a power cut" : ""};
  }
  const auto* const saved = std::get_if<vm::SavedState>(&file.content);
  if (saved == nullptr) return {"config " + name, "complete", ""};
  return {"runtime-state " + name, "complete",
          saved->has_memory ? "holds the VM's memory: goes on only where CPU and host "
                              "version fit"
                            : "no memory: the guest boots"};
}

}  // namespace

GuestStateProtection own_protection(const vm::HypervExport& found,
                                    const vm::HypervVm& vm) {
  const auto* const state =
      vm.guest_state ? std::get_if<vm::Vmgs>(&found.files[*vm.guest_state].content)
                     : nullptr;
  return state == nullptr ? GuestStateProtection::kAbsent : vm::protection_of(*state);
}

bool needs_key(const vm::InspectedFile& file) {
  const auto* const state = std::get_if<vm::Vmgs>(&file.content);
  return state != nullptr && vm::needs_key(vm::protection_of(*state));
}

bool needs_key(const vm::HypervExport& found, const vm::HypervVm& vm) {
  return std::ranges::any_of(
      vm.files, [&](std::size_t at) { return needs_key(found.files[at]); });
}

std::vector<archive::Verdict> judge_export(const vm::HypervExport& found,
                                           const vm::HypervVm& vm,
                                           const std::vector<std::string>& names,
                                           const ChosenKeys& keys) {
  const GuestStateProtection protection = own_protection(found, vm);
  const bool is_key_needed = needs_key(found, vm);
  archive::Verdict whole{"", "complete", ""};
  if (is_key_needed) whole.reason = kNotProvable;
  if (protection == GuestStateProtection::kGspById) whole.reason = kBoundToHost;
  std::vector<archive::Verdict> verdicts{whole};
  for (std::size_t i = 0; i < vm.files.size(); ++i) {
    const vm::InspectedFile& file = found.files[vm.files[i]];
    if (std::holds_alternative<vm::Vmgs>(file.content)) continue;
    verdicts.push_back(file_verdict(file, names[i]));
  }
  verdicts.push_back({"firmware-vars", "absent", "they lie in the guest state"});
  verdicts.push_back(guest_state_verdict(protection));
  verdicts.push_back(key_verdict(is_key_needed, keys));
  return verdicts;
}

}  // namespace sealift::backup
