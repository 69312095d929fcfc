#include "restore/runbook_moc.h"
#include "restore/runbook_parts.h"
#include "restore/runbook_text.h"

namespace sealift::restore::runbook {

namespace {

const char* words_for(GuestStateProtection guest_state) {
  switch (guest_state) {
    case GuestStateProtection::kAbsent:
      return "there is no `.vmgs` in this snapshot";
    case GuestStateProtection::kEmpty:
      return "empty: the VM was never started";
    case GuestStateProtection::kNone:
      return "not encrypted";
    case GuestStateProtection::kGspKey:
      return "encrypted; the cluster's key of this VM opens it (GspKey)";
    case GuestStateProtection::kGspById:
      return "encrypted with a seed of the source host (GspById)";
    case GuestStateProtection::kUnknown:
      break;
  }
  return "encrypted, in a way that Sealift does not know";
}

std::string target_in_words(const Plan& plan) {
  const RunbookFacts& facts = plan.facts;
  const std::string both = ": this page has both cases";
  if (facts.target_cluster.empty()) return "not said" + both;
  std::string name = code(facts.target_cluster);
  if (plan.place == Place::kSame) return name + ", where it came from";
  if (plan.place == Place::kOther) return name;
  return name + "; whether it came from there is not recorded" + both;
}

std::string disks_in_words(const DriveDisks& disks) {
  if (disks.drives.empty()) return "none in its drives";
  std::string words = code_list(disks.drives);
  if (!disks.parents.empty()) words += "; they hang on " + code_list(disks.parents);
  return words;
}

std::string key_use(const Plan& plan, const RunbookKey& key) {
  if (!plan.needs_key) return "not imported";
  if (&key == plan.own) return "this VM's; imported in " + plan.step(Step::kKey);
  if (&key == plan.root) return "attestation; decided in " + plan.step(Step::kRootKey);
  return "not this VM's; left alone";
}

void warn_of_no_key(Page& page, const std::string& why) {
  page.warning("**No key is imported for this VM.** " + why);
}

// Of a VM for which a key is imported.
void write_start_warning(Page& page, const Plan& plan) {
  if (plan.own == nullptr) {
    page.warning(
        "**Stop: the protection key of this VM is not in this snapshot.** Without it " +
        std::string(plan.opens_by_key ? "the vTPM does not open"
                                      : "that checkpoint does not open") +
        ". Look in other snapshots of this VM and in older key "
        "backups (`AES/<VM id>_256.json`). Do not start the VM: the system would make "
        "a new key under the same name.");
  } else {
    page.warning("**Do not start the VM before its key is in the key vault** (" +
                 plan.step(Step::kKey) + "). " +
                 (plan.opens_by_key ? "A start without it fails, and the system makes"
                                    : "A start without it can make") +
                 " a new key of the same name, which then blocks the right one.");
  }
}

void write_words_of_state(Page& page, const Plan& plan) {
  switch (plan.facts.guest_state) {
    case GuestStateProtection::kGspById:
      page.warning(
          "**The vTPM of this VM will not open on another cluster, whatever key is "
          "imported.** Its guest state is bound to a seed of " +
          (plan.facts.source_host.empty() ? "the host that it ran on"
                                          : "host " + code(plan.facts.source_host)) +
          " (GspById), not to a key of the key vault. Elsewhere everything that the "
          "guest sealed to its vTPM is lost: BitLocker's own unlocking, device keys, "
          "Windows Hello. The disks are whole. What can still be done: bring it back "
          "to the same host, or use the disks elsewhere with their **BitLocker "
          "recovery keys**. Look for those now.");
      return;
    case GuestStateProtection::kEmpty:
      warn_of_no_key(
          page,
          "It was never started, so its guest state is empty and no key protects "
          "anything yet. The first start makes the vTPM and, on the target, the key. "
          "If the key vault has a key of its name, leave it. Back the VM up again "
          "after the first start.");
      return;
    case GuestStateProtection::kNone:
      warn_of_no_key(
          page,
          "Its guest state is not encrypted, so no key opens it. Whoever reads the "
          "`.vmgs` reads the vTPM: keep this folder from others, and delete copies "
          "when you are done.");
      return;
    case GuestStateProtection::kAbsent:
      warn_of_no_key(
          page,
          "There is no `.vmgs`, so there is nothing that a key could open. A "
          "generation 1 VM needs none. A Trusted Launch VM does: its vTPM is lost, its "
          "disks open only with their **BitLocker recovery keys**, and whether Hyper-V "
          "imports it at all was not tested.");
      return;
    case GuestStateProtection::kUnknown:
      page.warning(
          "**Sealift does not know how this guest state is protected.** This page "
          "treats it as one that the cluster's key opens. That may fail. Have the "
          "**BitLocker recovery keys** at hand.");
      return;
    case GuestStateProtection::kGspKey:
      return;
  }
}

}  // namespace

void write_first_words(Page& page, const Plan& plan) {
  const bool is_for_checkpoint = plan.needs_key && !plan.opens_by_key;
  if (!is_for_checkpoint || plan.is_by_id) write_words_of_state(page, plan);
  if (is_for_checkpoint) {
    page.warning(
        "**A checkpoint of this VM needs its key.** The guest state of that checkpoint "
        "is encrypted with the cluster's key of this VM, and without it never opens. "
        "The VM's own guest state does not need the key.");
  }
  if (plan.needs_key) write_start_warning(page, plan);
}

void write_box(Page& page, const Plan& plan) {
  const RunbookFacts& facts = plan.facts;
  std::string proven = "every file here is that of the signed snapshot";
  if (plan.own != nullptr) {
    proven += "; its key was opened with the recovery key and wrapped to that key";
  }
  std::string unproven = "nothing about the guest state that needs a host";
  if (plan.opens_by_key) {
    unproven =
        "**that the key opens this guest state**: only a host's agent can. The first "
        "start proves it";
  } else if (plan.is_by_id) {
    unproven = "that the source host still has the seed of this guest state";
  } else if (plan.needs_key) {
    unproven =
        "that the key opens the guest state of a checkpoint: a start from that "
        "checkpoint proves it";
  }
  std::vector<std::vector<std::string>> rows{
      {"", ""},
      {"VM", code(facts.vm_name)},
      {"VM id", code(facts.vm_id)},
      {"BIOS GUID", code(facts.bios_id)},
      {"snapshot", code(facts.snapshot) + ", " + facts.created.text()},
      {"exported", facts.exported ? facts.exported->text() : "not recorded"},
      {"from", facts.source_cluster.empty()
                   ? "not recorded: the export was made by hand"
                   : "cluster " + code(facts.source_cluster) + ", host " +
                         code(facts.source_host) + ", build " + code(facts.host_build)},
      {"to", target_in_words(plan)},
      {"guest state", words_for(facts.guest_state) +
                          std::string(facts.checkpoint_needs_key
                                          ? "; the key opens that of a checkpoint"
                                          : "")},
      {"disks", disks_in_words(facts.disks)},
      {"saved memory", facts.has_saved_memory ? "yes" : "no"},
  };
  if (plan.needs_key || !facts.keys.empty()) {
    const std::string& name = facts.wrapping_key_name;
    rows.push_back({"wrapped to", (name.empty() ? "a key whose name was not given"
                                                : "key " + code(name)) +
                                      ", " + code(facts.wrapping_key_id)});
  }
  rows.push_back({"proven", proven});
  rows.push_back({"not proven", unproven});
  page.table(rows);
}

void write_keys(Page& page, const Plan& plan) {
  std::vector<std::vector<std::string>> rows{
      {"key", "type", "size", "file in this folder", "what for"}};
  for (const RunbookKey& key : plan.facts.keys) {
    rows.push_back({code(key.name), code(key.type), std::to_string(key.size),
                    code(key.path), key_use(plan, key)});
  }
  if (rows.size() == 1) {
    page.text("The snapshot holds no key of the source's key vault.");
  } else {
    page.table(rows);
  }
  if (!plan.facts.left_wrapping_keys.empty()) {
    page.text(
        "**Left behind in the source's key vault: " +
        code_list(plan.facts.left_wrapping_keys) +
        ".** An earlier restore brought it there and did not remove it. It is not in "
        "this folder and is not imported. No wrapping key on the target may have its "
        "name: with a backup that holds it, imports collide or hang. If the source "
        "still runs, remove it there with `Remove-MocKey`.");
  }
  if (plan.facts.keys.empty()) return;
  page.text(
      "`protection-key.json`, `protection-key.2.json` and so on, at the top of this "
      "folder, are the keys as the snapshot has them, wrapped to recovery keys: **no "
      "cluster can import those**, this one or another. For another cluster restore "
      "again, with its own wrapping key.");
  page.text(
      "Names, types and sizes are those of the snapshot's manifest; " +
      (plan.needs_key
           ? plan.step(Step::kCompare) + " compares the target's key vault with them."
           : std::string("nothing is done with these keys for this VM.")));
  if (plan.needs_key || plan.root == nullptr) return;
  page.text(
      "`AzureStackTvmAKRootKey` is not needed either: the first start of a Trusted "
      "Launch VM makes it where there is none.");
}

void write_variables(Page& page, const Plan& plan) {
  page.heading("Before every step");
  page.text(
      "Paste this into each new window of Windows PowerShell 5.1 (as administrator, on "
      "the host that is to run the VM). Correct `$folder` and `$storage` first.");
  std::vector<std::string> lines{
      "$vmId    = " + powershell_text(plan.facts.vm_id),
      R"($folder  = 'C:\ClusterStorage\UserStorage_1\sealift-)" +
          short_id(plan.facts.snapshot) + "'  # this folder, on the host",
      R"($storage = 'C:\ClusterStorage\UserStorage_1'  # where the VM is to be)",
      "$new     = Join-Path $storage $vmId",
      "$vmcx    = " + powershell_in_folder(plan.facts.configuration),
  };
  if (plan.is_by_id) {
    lines.push_back("$vmName  = " + powershell_text(plan.facts.vm_name));
  }
  if (plan.needs_key) {
    lines.insert(
        lines.end(),
        {"$keyName = " + powershell_text(plan.facts.vm_id) + "  # the name of its key",
         kSetGroup, kSetVault,
         "$wrap    = " + powershell_text(plan.facts.wrapping_key_name) +
             (plan.facts.wrapping_key_name.empty()
                  ? "  # type the name of the wrapping key"
                  : ""),
         R"($escrow  = 'C:\Temp\MOC-KEY.moc.pem'  # put it there first)",
         R"(New-Item -ItemType Directory -Force C:\Temp | Out-Null)"});
  }
  page.powershell(lines);
  if (!plan.needs_key) return;
  page.text(
      "`$escrow` is the public half of the recovery key with the id " +
      code(plan.facts.recovery_key_id) +
      ". `sealift keyvault new-recovery-key` wrote it beside the private one, as "
      "`KEY.moc.pem`; it is no secret. Copy it to `C:\\Temp` before you go on: what "
      "this page exports is wrapped to it. The private one, `MOC-KEY.pem` here, never "
      "comes to a cluster.");
}

}  // namespace sealift::restore::runbook
