#include "backup/hyperv_verdict.h"

#include <algorithm>

namespace sealift::backup {

namespace {

constexpr const char* kNotProvable =
    "not provable off the cluster: that the protection key opens the guest state";
constexpr const char* kBoundToHost =
    "the guest state is bound to a seed of its host (GspById), which no key vault "
    "holds: on another cluster the vTPM does not open";

archive::Verdict guest_state_verdict(const vm::Vmgs* state) {
  if (state == nullptr) {
    return {"guest-state", "absent", "the VM's configuration names none"};
  }
  const std::string word = protection_word(*state);
  if (word == "empty") {
    return {"guest-state", "complete", "empty: the VM was never started"};
  }
  if (word == "none") {
    return {"guest-state", "complete",
            "proven: structure; not encrypted: whoever has the file has the vTPM"};
  }
  if (word == "GspById") return {"guest-state", "complete", kBoundToHost};
  return {"guest-state", "complete",
          "proven: structure; encrypted, protected by " +
              std::string(word == "GspKey" ? "the cluster's key vault (GspKey)"
                                           : "something that the file does not name")};
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

std::string protection_word(const vm::Vmgs& state) {
  if (state.is_empty) return "empty";
  switch (state.protection) {
    case vm::VmgsProtection::kNone:
      return "none";
    case vm::VmgsProtection::kGspKey:
      return "GspKey";
    case vm::VmgsProtection::kGspById:
      return "GspById";
    default:
      return "unknown";
  }
}

const vm::Vmgs* guest_state_of(const vm::HypervExport& found, const vm::HypervVm& vm) {
  return vm.guest_state ? std::get_if<vm::Vmgs>(&found.files[*vm.guest_state].content)
                        : nullptr;
}

bool needs_key(const vm::Vmgs* state) {
  if (state == nullptr) return false;
  const std::string word = protection_word(*state);
  return word == "GspKey" || word == "unknown";
}

bool needs_key(const vm::HypervExport& found, const vm::HypervVm& vm) {
  return std::ranges::any_of(vm.files, [&](std::size_t at) {
    return needs_key(std::get_if<vm::Vmgs>(&found.files[at].content));
  });
}

std::vector<archive::Verdict> judge_export(const vm::HypervExport& found,
                                           const vm::HypervVm& vm,
                                           const std::vector<std::string>& names,
                                           const ChosenKeys& keys) {
  const vm::Vmgs* const state = guest_state_of(found, vm);
  const bool is_key_needed = needs_key(found, vm);
  archive::Verdict whole{"", "complete", ""};
  if (is_key_needed) whole.reason = kNotProvable;
  if (state != nullptr && protection_word(*state) == "GspById") {
    whole.reason = kBoundToHost;
  }
  std::vector<archive::Verdict> verdicts{whole};
  for (std::size_t i = 0; i < vm.files.size(); ++i) {
    const vm::InspectedFile& file = found.files[vm.files[i]];
    if (std::holds_alternative<vm::Vmgs>(file.content)) continue;
    verdicts.push_back(file_verdict(file, names[i]));
  }
  verdicts.push_back({"firmware-vars", "absent", "they lie in the guest state"});
  verdicts.push_back(guest_state_verdict(state));
  verdicts.push_back(key_verdict(is_key_needed, keys));
  return verdicts;
}

}  // namespace sealift::backup
