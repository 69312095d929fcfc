// What a restore to a folder writes at the top of it, beside a VM's own files: no file
// of a VM may lie there.
#pragma once

#include <string_view>

namespace sealift::archive {

constexpr std::string_view kRunbook = "RUNBOOK.md";
/// The folder of the keys as they were wrapped to the target.
constexpr std::string_view kRestoredKeys = "protection-keys";
/// What scripts/azure-local/Import-SealiftVM.ps1 reads. Written last: a folder that has
/// it is whole.
constexpr std::string_view kRestoreRecord = "sealift-restore.json";

/// Whether it is one of these, or may be a protection-key member, in any case of
/// letters: the folder goes to Windows.
bool is_restored_name(std::string_view name);

}  // namespace sealift::archive
