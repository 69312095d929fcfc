#include "archive/restored_names.h"
#include "restore/runbook_parts.h"
#include "restore/runbook_text.h"

namespace sealift::restore::runbook {

void write_short_way(Page& page, const Plan& plan) {
  const bool is_lost =
      plan.is_by_id ||
      (plan.facts.guest_state == GuestStateProtection::kAbsent && plan.needs_key);
  page.heading("The short way");
  if (plan.needs_key && plan.facts.wrapping_key_name.empty()) {
    page.text(
        "Not with this folder: `Import-SealiftVM.ps1` imports keys by the name of the "
        "wrapping key, and the restore was not given one. Restore again with "
        "`--wrapping-key-name`, as " +
        plan.step(Step::kWrappingKey) +
        " shows, or do the steps below by hand: there you type it.");
    return;
  }
  page.text(
      "`Import-SealiftVM.ps1` reads " + code(archive::kRestoreRecord) +
      ", looks for all that speaks against the import before it "
      "touches anything, imports key and VM in this order, and takes back what it made "
      "if a step fails. `Get-Help .\\Import-SealiftVM.ps1 -Full` says more. The steps "
      "below do the same by hand; they also say what to do when it refuses. It and "
      "`Sealift.psm1` lie in `/usr/share/sealift/azure-local` where Sealift is "
      "installed, and in `scripts/azure-local` of its source: copy both into one "
      "folder on the host, and go there. One line at a time:");
  const std::string restore =
      ".\\Import-SealiftVM.ps1 -Path $folder -StoragePath $storage";
  std::vector<std::string> lines{restore + " -WhatIf",
                                 restore + (is_lost ? " -AcceptGuestStateLoss" : "")};
  if (plan.needs_key) {
    lines.emplace_back(
        ".\\Import-SealiftVM.ps1 -RemoveWrappingKey $wrap  # at the end");
  } else if (!plan.facts.wrapping_key_name.empty()) {
    lines.push_back(".\\Import-SealiftVM.ps1 -RemoveWrappingKey " +
                    powershell_text(plan.facts.wrapping_key_name) + "  # at the end");
  }
  page.powershell(lines);
  std::string seen = "You see `imported VM`, or a reason and exit status 5.";
  if (is_lost) {
    seen += " It can refuse this VM without `-AcceptGuestStateLoss`.";
  }
  if (plan.is_by_id) {
    seen += " On the old host nothing is lost by saying that.";
  }
  if (plan.needs_key) {
    seen += " If the key vault has this VM's key already, it refuses: go on at " +
            plan.step(Step::kVault) + ".";
  }
  if (plan.needs_key && plan.root != nullptr) {
    seen +=
        " `-KeepAttestationKey` leaves the target's `AzureStackTvmAKRootKey`; read " +
        plan.step(Step::kRootKey) + " first.";
  }
  page.text(seen);
}

}  // namespace sealift::restore::runbook
