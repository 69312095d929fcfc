#include "restore/runbook_moc.h"
#include "restore/runbook_parts.h"
#include "restore/runbook_text.h"

namespace sealift::restore::runbook {

void write_cluster(Page& page, const Plan& /*plan*/) {
  page.text("After the guest has proved itself, not before:");
  page.powershell(
      {"Add-ClusterVirtualMachineRole -VMId $vmId", "Get-ClusterGroup -VMId $vmId"});
  page.text(
      "You see the role `Online`. If not, its files are not all on a cluster shared "
      "volume: move them with `Move-VMStorage` while it runs.");
}

void write_remove_wrapping_key(Page& page, const Plan& /*plan*/) {
  page.text(
      "**Remove the wrapping key.** Left behind, the next key backup exports it, and "
      "later imports collide or hang. Then make the first backup here.");
  page.powershell({remove_key("$wrap"), get_keys() + " | Select-Object Name",
                   "Remove-Item C:\\Temp\\sealift-wrap.pem"});
  page.text(
      "You see the VM's key and not the wrapping key. Do this also when you give up. "
      "If more VMs come to this cluster with the same wrapping key, remove it after "
      "the last one. Then delete `$folder`: the VM runs from `$new`.");
}

void write_clean_up(Page& page, const Plan& plan) {
  const std::string& wrapping_key = plan.facts.wrapping_key_name;
  page.text(
      "**Remove the wrapping key.** It was made here for this restore, and nothing "
      "of this VM needs it. Left behind, the next key backup exports it, and later "
      "imports collide or hang. If more VMs come with it, after the last one.");
  std::vector<std::string> lines{kSetGroup, kSetVault};
  if (wrapping_key.empty()) {
    lines.push_back(get_keys() + " | Select-Object Name  # which one is it?");
  }
  lines.push_back(
      remove_key(wrapping_key.empty() ? "'NAME'" : powershell_text(wrapping_key)));
  page.powershell(lines);
  page.text("You see no error.");
  page.text("The VM runs from `$new`; `$folder` can go.");
  page.powershell({"Get-VM -Id $vmId | Get-VMHardDiskDrive | Select-Object Path"});
  page.text(
      "You see paths below `$new`: delete `$folder`. If not, delete nothing. Make "
      "the first backup here" +
      std::string(plan.facts.guest_state == GuestStateProtection::kEmpty
                      ? ": the key that the first start made is in no backup yet."
                      : "."));
}

void write_check_list(Page& page, const Plan& plan) {
  page.heading("Check list");
  std::vector<std::string> items;
  if (plan.needs_key) {
    for (const RunbookKey* key : {plan.own, plan.root}) {
      if (key == nullptr) continue;
      items.push_back(
          "`Get-MocKey` shows " + code(key->name) + ", " + code(key->type) + ", " +
          std::to_string(key->size) +
          (key == plan.root ? " (this snapshot's, or the target's: as decided)" : ""));
    }
    for (const std::string& name : plan.facts.left_wrapping_keys) {
      items.push_back("`Get-MocKey` does not show " + code(name));
    }
    items.emplace_back("the VM was not started before its key was there");
  }
  const std::string& wrapping_key = plan.facts.wrapping_key_name;
  items.push_back("`Get-MocKey` does not show the wrapping key" +
                  (wrapping_key.empty() ? "" : " " + code(wrapping_key)));
  items.push_back((plan.is_by_id ? "on the old host " : "") +
                  ("`Get-VM` shows the id " + code(plan.facts.vm_id)));
  if (plan.is_by_id) {
    items.emplace_back("elsewhere: every disk opened with its BitLocker recovery key");
  }
  items.emplace_back("it ran for three minutes, and the guest sees its TPM");
  items.emplace_back(
      "BitLocker recovery keys are where they belong, not in this folder");
  items.emplace_back("the cluster's first backup of it is made");
  page.items(items, "- [ ] ");
}

void write_azure(Page& page, const Plan& plan) {
  page.heading("What Azure will and will not do");
  std::vector<std::string> facts;
  if (plan.place != Place::kSame) {
    facts.emplace_back(
        "On another cluster the VM runs, and **cannot be managed from the Azure "
        "control plane** (overview, 10/07/2025). The newer page (VM resiliency, "
        "10/23/2025) says: unmanaged until it is registered on the new cluster and "
        "reconnected to its resource; that page is about Azure Local VMs in general.");
  }
  if (plan.place != Place::kOther || plan.is_by_id) {
    facts.emplace_back(
        "On the same cluster nothing has to be registered: the connection comes back, "
        "if the VM was away for less than the **45 days** of Azure Arc's window (VM "
        "resiliency, 10/23/2025).");
  }
  facts.emplace_back(
      "Azure Site Recovery and Azure Backup do not support Trusted Launch VMs here. "
      "Boot integrity of the guest is not verified: do not promise it.");
  if (plan.place != Place::kSame) {
    facts.emplace_back(
        "If the old cluster may come back, make sure that it never starts this VM "
        "again.");
  }
  page.items(facts);
}

}  // namespace sealift::restore::runbook
