#include "restore/runbook_moc.h"
#include "restore/runbook_parts.h"
#include "restore/runbook_text.h"

namespace sealift::restore::runbook {

namespace {

constexpr unsigned kRootKeyBits = 4096;

MocKey own_key(const Plan& plan) { return {"$keyName", "AES", plan.own_size}; }

MocKey root_key(const Plan& plan) {
  return {std::string(kRootKeyName), "RSA",
          plan.root != nullptr ? plan.root->size : kRootKeyBits};
}

std::string import_own_key(const Plan& plan) {
  return import_key(own_key(plan), "$keyFile");
}

// The folder that Import-TVMKeys takes: that of `<time>/AES/<file>`.
std::string backup_folder(std::string_view path) {
  for (int level = 0; level < 2; ++level) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return {};
    path = path.substr(0, slash);
  }
  return std::string(path);
}

void write_invalid_version(Page& page, const Plan& plan) {
  page.text(
      "**`InvalidVersion`**: a key of this name is already there, and the import "
      "changed nothing. Microsoft's page says to ignore it. Ignore it only if this "
      "same key was imported before and the VM was not started in between. **Otherwise "
      "the system made that key at a start that came too early, and the VM will never "
      "open with it.** Then, with the VM off, keep a copy, remove it, and import "
      "again:");
  page.powershell(remove_key_keeping(R"("C:\Temp\before-$vmId.json")", own_key(plan),
                                     {import_own_key(plan)}));
}

/// Where the snapshot is read from again: what stands for what, and the options.
struct Origin {
  std::string words;
  std::string options;
};

Origin origin_of(const RunbookFacts& facts) {
  if (facts.archives == Archives::kAsNeeded) {
    return {
        "`FILE.tar` stands for all files of the archive that this came from, "
        "`SIGNER.pub.pem` for the public key of the host that signed it",
        "--archive FILE.tar --signer SIGNER.pub.pem"};
  }
  return {
      "`REPOSITORY` is where the storage is mounted",
      "--repo REPOSITORY --repo-id " +
          (facts.repository.empty() ? "REPOSITORY-ID" : shell_text(facts.repository))};
}

// At the desk, for another wrapping key.
void write_restore_again(Page& page, const Plan& plan) {
  const RunbookFacts& facts = plan.facts;
  const Origin origin = origin_of(facts);
  page.text(
      "Bring `sealift-wrap.pem` to the desk, restore again, and go on with the page in "
      "`NEW-FOLDER`. " +
      origin.words +
      ", `ARCHIVE-KEY.pem` a recovery key that opens archives, `MOC-KEY.pem` the one "
      "with the id " +
      code(facts.recovery_key_id) + ".");
  const std::string cluster = facts.target_cluster.empty()
                                  ? "TARGET-CLUSTER"
                                  : shell_text(facts.target_cluster);
  page.shell({"sealift restore " + shell_text(short_id(facts.snapshot)) + " " +
                  origin.options + " \\",
              "    --identity ARCHIVE-KEY.pem --key-identity MOC-KEY.pem \\",
              "    --to-directory NEW-FOLDER --wrap-to sealift-wrap.pem \\",
              "    --wrapping-key-name NEW-NAME --target-cluster " + cluster});
}

}  // namespace

void write_wrapping_key(Page& page, const Plan& plan) {
  page.text(
      "The target made it, and its private half never leaves the target's key vault. "
      "The keys in this folder open with it alone. Look that it is still there, and "
      "that it is the same one.");
  page.powershell({get_wrapping_key()});
  page.text("Then, in PowerShell 7 (or `sealift keyvault inspect` at the desk):");
  page.powershell({"$rsa = [System.Security.Cryptography.RSA]::Create()",
                   "$rsa.ImportFromPem((Get-Content -Raw C:\\Temp\\sealift-wrap.pem))",
                   "$hash = [System.Security.Cryptography.SHA256]::HashData("
                   "$rsa.ExportSubjectPublicKeyInfo())",
                   "[Convert]::ToHexString($hash) -eq " +
                       powershell_text(plan.facts.wrapping_key_id)});
  page.text(
      "You see `True`. If not, or if there is no such key: nothing in this folder can "
      "be imported. Make a new one under another name, `NEW-NAME` here (no name of the "
      "tables above):");
  page.powershell({"$wrap = 'NEW-NAME'", new_wrapping_key(), get_wrapping_key()});
  write_restore_again(page, plan);
  if (plan.place == Place::kSame) {
    page.text("On the cluster that it came from you need this only if " +
              plan.step(Step::kVault) + " finds the VM's key missing.");
  }
}

void write_vault(Page& page, const Plan& plan) {
  page.powershell({get_keys() + " |",
                   "  Select-Object Name, @{n='Type';e={$_.properties.kty}}, "
                   "@{n='Size';e={$_.properties.key_size}}"});
  const std::string own = code(plan.facts.vm_id);
  if (plan.place != Place::kSame) {
    page.text("**On another cluster** you see no key " + own +
              ". If there is one, it was made when this VM was started too early, or "
              "an earlier import brought it: see `InvalidVersion` in " +
              plan.step(Step::kKey) + ".");
  }
  if (plan.place == Place::kOther) return;
  page.text("**On the cluster that it came from** you normally see the key " + own +
            ". **Do not import over it.** Leave out " + plan.step(Step::kRootKey) +
            " and " + plan.step(Step::kKey) +
            ", and compare. Only if it is missing, do them.");
  if (plan.own == nullptr) {
    page.text("You see one: this snapshot has none to compare it with.");
    return;
  }
  page.text(
      "Name and size do not prove that it is the same key. To compare the keys "
      "themselves, export it, and compare both at the desk, in this folder, with the "
      "recovery key of `$escrow`; they meet in memory only:");
  page.powershell({export_key(own_key(plan), "C:\\Temp\\in-vault.json")});
  page.shell(
      {"sealift keyvault reveal in-vault.json --identity MOC-KEY.pem --out "
       "/dev/shm/vault.key",
       "sealift keyvault reveal " + shell_text(plan.own->member) +
           " --identity MOC-KEY.pem --out /dev/shm/snapshot.key",
       "cmp /dev/shm/vault.key /dev/shm/snapshot.key && echo same; rm "
       "/dev/shm/vault.key /dev/shm/snapshot.key"});
  page.text(
      "You see `same`. If they differ, the key was made anew after this snapshot: it "
      "does not open this guest state. Keep `in-vault.json`, and go the way of "
      "`InvalidVersion` in " +
      plan.step(Step::kKey) + ".");
}

void write_root_key(Page& page, const Plan& plan) {
  page.text(
      "`AzureStackTvmAKRootKey` (RSA, 4096) is the root of attestation, one for all "
      "VMs of a cluster. The first start of a Trusted Launch VM makes it if it is not "
      "there. As far as is known it opens no guest state. Microsoft's advice "
      "contradicts itself; this is all of it:");
  page.items(
      {"**07/10/2025**, `trusted-launch-vm-import-key.md`: delete it if a VM was "
       "started by mistake before its key was restored.",
       "**07/21 and 07/23/2025**, the same page: delete it, before the import, only if "
       "you restore to the same Azure Local instance. `InvalidVersion` for it can be "
       "ignored.",
       "**TvmBackupUtils.psm1** (as of 04/14/2026): if a Trusted Launch VM was created "
       "on the new instance before the import, delete it before importing, so that "
       "attestation goes on working."});
  std::vector<std::string> choices;
  if (plan.root == nullptr) {
    choices.emplace_back(
        "This snapshot does not hold it, so there is nothing to import. Leave the "
        "target's as it is, or let the first start make it.");
  } else {
    choices.emplace_back("None in the key vault: import it now, before any start.");
    if (plan.place != Place::kSame) {
      choices.emplace_back(
          "Another cluster has its own, and other VMs run there: leaving it is the "
          "choice that changes nothing for them. This VM then attests under the "
          "target's.");
    }
    if (plan.place != Place::kOther) {
      choices.emplace_back(
          "The same cluster has it: if the VM's key is still there, leave both. If you "
          "import, the page of 07/21 wants it deleted first.");
    }
  }
  choices.emplace_back(
      "It was made by a start that came too early: the page of 07/10 and the script "
      "say delete. Keep a copy; the attestation of VMs that already run may break.");
  page.text("**You choose**, by what " + plan.step(Step::kVault) + " showed:");
  page.items(choices);
  page.text(
      "To delete it, keeping a copy. It deletes nothing if the export fails or a copy "
      "of an earlier try is there:");
  const MocKey key = root_key(plan);
  page.powershell(
      remove_key_keeping("'C:\\Temp\\before-AzureStackTvmAKRootKey.json'", key));
  if (plan.root == nullptr) {
    page.text("You see no error. That copy is then the only one.");
    return;
  }
  page.text("To import this snapshot's:");
  page.powershell({"$rootFile = " + powershell_in_folder(plan.root->path),
                   import_key(key, "$rootFile")});
  page.text(
      "You see no error. `InvalidVersion` here means that the key vault has one; "
      "nothing was changed.");
}

void write_key(Page& page, const Plan& plan) {
  if (plan.own == nullptr) {
    page.text(
        "**There is none in this snapshot.** When you have found an export of it, "
        "rewrap it to the wrapping key (`sealift keyvault rewrap`) and import that "
        "file. Do not go on without it.");
  }
  if (plan.place != Place::kOther) {
    page.text("On the cluster that it came from: only if " + plan.step(Step::kVault) +
              " showed that it is missing.");
  }
  page.text(
      "The name of the key must be the VM's id: the agent looks for that. The VM is "
      "off and was never started here.");
  page.powershell(
      {"$keyFile = " + (plan.own != nullptr ? powershell_in_folder(plan.own->path)
                                            : "'C:\\Temp\\found.json'"),
       import_own_key(plan)});
  page.text(
      "You see no error. Anything but `InvalidVersion` means that this key is not in "
      "the key vault: most often the wrapping key is another one (" +
      plan.step(Step::kWrappingKey) + "). Do not start the VM.");
  write_invalid_version(page, plan);
  const std::string folder = plan.own == nullptr ? "" : backup_folder(plan.own->path);
  if (folder.empty()) return;
  page.text(
      "Or with Microsoft's own tool, the whole folder at once. It goes on after "
      "errors, so " +
      plan.step(Step::kCompare) + " is not optional.");
  page.powershell(
      {"Import-Module .\\TvmBackupUtils.psm1 -Force; Import-TVMKeys -WrappingKeyName "
       "$wrap -BackupPath (" +
       powershell_in_folder(folder) + ")"});
}

void write_compare(Page& page, const Plan& plan) {
  std::vector<std::string> lines{"$want = @(",
                                 "  " + powershell_text(plan.facts.vm_id + " AES " +
                                                        std::to_string(plan.own_size))};
  std::string seen = "You see `there` for the VM's key";
  if (plan.root != nullptr) {
    lines.push_back("  " + powershell_text(plan.root->name + " RSA " +
                                           std::to_string(plan.root->size)));
    seen += ", and for the root key whichever way you decided";
  }
  lines.insert(lines.end(), {")", "$have = " + get_keys() + " |",
                             "  ForEach-Object { \"$($_.Name) $($_.properties.kty) "
                             "$($_.properties.key_size)\" }",
                             "$want | ForEach-Object { \"$(if ($have -contains $_) { "
                             "'there' } else { 'MISSING' }): $_\" }"});
  page.powershell(lines);
  page.text(
      seen + ". `MISSING` for the VM's key: go back to " + plan.step(Step::kKey) +
      ", do not go on. This proves that a key of that name is there, not which one.");
}

}  // namespace sealift::restore::runbook
