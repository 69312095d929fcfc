#include "backup/verdict.h"

#include <algorithm>

namespace sealift::backup {

namespace {

archive::Verdict judge_whole(const std::vector<archive::Verdict>& parts,
                             const vm::VmDescription& description) {
  archive::Verdict whole{"", "complete", ""};
  for (const archive::Verdict& part : parts) {
    if (part.state != "incomplete") continue;
    whole.state = "incomplete";
    if (!whole.reason.empty()) whole.reason += "; ";
    whole.reason += part.component + ": " + part.reason;
  }
  if (whole.state == "complete" && !description.vtpm)
    whole.reason = "the VM has no vTPM";
  return whole;
}

void mark_missing(std::vector<archive::Verdict>& parts,
                  const vm::MissingPart& missing) {
  const auto part =
      std::ranges::find(parts, missing.component, &archive::Verdict::component);
  archive::Verdict verdict{missing.component, "incomplete", missing.reason};
  if (part == parts.end()) {
    parts.push_back(std::move(verdict));
  } else {
    *part = std::move(verdict);
  }
}

}  // namespace

std::vector<archive::Verdict> judge(const vm::VmDescription& description,
                                    const std::vector<vm::CapturedFile>& files,
                                    const std::vector<vm::MissingPart>& missing,
                                    const Protection& protection) {
  std::vector<archive::Verdict> parts;
  parts.push_back({"config", "complete", ""});
  for (const vm::Disk& disk : description.disks) {
    parts.push_back(
        {"disk " + disk.target, "complete",
         disk.is_shareable ? "shared with other VMs, which went on writing" : ""});
  }
  const bool has_nvram = std::ranges::any_of(
      files, [](const vm::CapturedFile& file) { return file.kind == "firmware-vars"; });
  parts.push_back({"firmware-vars", has_nvram ? "complete" : "absent",
                   has_nvram ? "" : "there is no NVRAM file"});
  parts.push_back(protection.guest_state);
  parts.push_back(protection.protection_key);
  parts.push_back({"runtime-state", description.managed_save ? "complete" : "absent",
                   description.managed_save ? "" : "a restore boots the guest"});
  for (const vm::MissingPart& part : missing) mark_missing(parts, part);
  parts.insert(parts.begin(), judge_whole(parts, description));
  return parts;
}

}  // namespace sealift::backup
