#include "restore/runbook_parts.h"
#include "restore/runbook_text.h"

namespace sealift::restore::runbook {

namespace {

// $name = @(...), of files below $folder.
void add_list(const std::string& name, const std::vector<std::string>& paths,
              std::vector<std::string>& lines) {
  if (paths.empty()) {
    lines.push_back(name + " = @()");
    return;
  }
  lines.push_back(name + " = @(");
  for (std::size_t i = 0; i < paths.size(); ++i) {
    lines.push_back("  (" + powershell_path(paths[i]) + ")" +
                    (i + 1 < paths.size() ? "," : ")"));
  }
}

}  // namespace

void write_import(Page& page, const Plan& plan) {
  if (plan.is_by_id) page.text("On the old host only.");
  page.text(
      "A copy in `$new`, with the id that it has. **Never use `-GenerateNewId`**: key, "
      "vTPM and Azure know this VM by its id, and under a new one the agent looks for "
      "the wrong key. Never start it on two clusters.");
  page.powershell(
      {"$report = Compare-VM -Path $vmcx -Copy -VirtualMachinePath $new "
       "-SnapshotFilePath $new `",
       "  -VhdDestinationPath (Join-Path $new 'Virtual Hard Disks')",
       "$report.Incompatibilities | Format-Table -AutoSize Message, MessageId"});
  page.text(
      "You see nothing, or what is missing here. A switch (33012): "
      "`$report.Incompatibilities[0].Source | Disconnect-VMNetworkAdapter`, or "
      "`Connect-VMNetworkAdapter -SwitchName ...`. A disk that is not found: compare "
      "again with `-VhdSourcePath` and its folder below `$folder`. Then:");
  page.powershell({"Import-VM -CompatibilityReport $report",
                   "Get-VM -Id $vmId | Select-Object Name, Id, State, Generation, "
                   "GuestStateIsolationType",
                   "Get-CimInstance -Namespace root\\virtualization\\v2 -ClassName "
                   "Msvm_VirtualSystemSettingData |",
                   "  Where-Object { $_.VirtualSystemIdentifier -eq $vmId } | "
                   "Select-Object ElementName, BIOSGUID"});
  page.text(
      "You see the id of the table above, state " +
      std::string(plan.facts.has_saved_memory ? "`Saved`" : "`Off`") +
      (plan.facts.bios_id.empty()
           ? "."
           : ", and BIOS GUID " + code(plan.facts.bios_id) +
                 ". Another BIOS GUID: do not start. The firmware can take it for a "
                 "moved VM and make new TPM seeds, and what was sealed is lost "
                 "although the VM runs.") +
      " If the import says that the id is in use, the VM is already known here.");
}

void write_saved_memory(Page& page, const Plan& plan) {
  page.text(
      "The snapshot holds the running VM's memory. It goes on only on a host with a "
      "compatible processor and build (source: " +
      code(plan.facts.host_build) +
      "). If you are not sure, or if the start says that it cannot restore the state, "
      "throw the memory away. The VM then starts as after a power cut.");
  page.powershell({"Get-VM -Id $vmId | Remove-VMSavedState"});
  page.text("You see state `Off`. Disks and guest state are not touched.");
}

void write_start(Page& page, const Plan& plan) {
  page.powershell(
      {"$begin = Get-Date", "Get-VM -Id $vmId | Start-VM", "Start-Sleep 180",
       "Get-VM -Id $vmId | Select-Object Name, State, Uptime, Status",
       "Get-WinEvent -LogName Microsoft-Windows-Hyper-V-Worker-Admin -MaxEvents 100 |",
       "  Where-Object { $_.TimeCreated -gt $begin -and $_.Id -in 18610, 18560 }"});
  page.text(
      "You see `Running`, an uptime of about three minutes, and no event. A guest "
      "state that does not open is tried ten times and fails after about two minutes, "
      "so do not trust the first `Running`. If it fails, turn it off (`Stop-VM "
      "-TurnOff -VM (Get-VM -Id $vmId)`) and **start it no second time** before you "
      "know why:");
  std::string meaning = "the guest state did not open, or there is no agent";
  std::string remedy = plan.step(Step::kHost) + " for the agent";
  if (plan.opens_by_key) {
    meaning = "the guest state did not open: wrong key, no key, or no agent";
    remedy += "; `InvalidVersion` in " + plan.step(Step::kKey) +
              "; then again from an untouched copy";
  } else if (plan.is_by_id) {
    remedy += "; the host has lost its seed: " + plan.step(Step::kNewVm);
  }
  page.table(
      {{"you see", "it means", "do"},
       {"18610 `fatal virtual firmware error`, then 18560 triple fault", meaning,
        remedy},
       {"1540 `Gsp server unavailable`, `GspSeedData not set`",
        "no sign of failure by itself: good boots have it too", "nothing"},
       {"`The key protector could not be unwrapped`",
        plan.facts.guest_state == GuestStateProtection::kGspKey
            ? "another VM: only ordinary vTPM VMs say that, not Trusted Launch ones"
            : "it is an ordinary vTPM VM, not a Trusted Launch one",
        "it needs the source hosts' `UntrustedGuardian` certificates with private "
        "keys; no MOC key helps"}});
}

void write_prove(Page& page, const Plan& plan) {
  const GuestStateProtection guest_state = plan.facts.guest_state;
  if (guest_state == GuestStateProtection::kEmpty) {
    page.text("Inside the guest. The vTPM is new; nothing was sealed to an older one.");
    page.powershell({"Get-Tpm"});
    page.text(
        "You see `TpmPresent : True`. If not, look at the VM's security settings.");
    return;
  }
  page.text("Inside the guest:");
  page.powershell({"Get-Tpm; manage-bde -status; manage-bde -protectors -get C:"});
  if (guest_state == GuestStateProtection::kAbsent) {
    page.text(
        "You see what the guest has. A recovery screen at boot is expected if it used "
        "BitLocker with a vTPM.");
    return;
  }
  page.text(
      "You see `TpmReady : True`, and Windows came up without asking for a BitLocker "
      "recovery key: the vTPM opened, and it is the old one. In a guest that sealed "
      "nothing to its vTPM there is no such proof, only a start that did not fail.");
  const std::string moment = plan.facts.exported ? plan.facts.exported->text()
                                                 : "the moment of the export, before " +
                                                       plan.facts.created.text();
  page.text("If BitLocker asks: this guest state is of " + moment +
            ", and the counters of the vTPM went back to that moment. Anything sealed "
            "later, and anything that guards against going back, refuses. Type the "
            "recovery key; then `Suspend-BitLocker -MountPoint C:` and "
            "`Resume-BitLocker -MountPoint C:` seal anew. Keep the recovery keys.");
}

void write_new_vm(Page& page, const Plan& plan) {
  const DriveDisks& disks = plan.facts.disks;
  page.text(
      "**Elsewhere only**, when the old host is gone. This makes a new VM, with a new "
      "id and an empty vTPM, around copies of the disks. The old guest state is not "
      "used. On Azure Local make it the way that your cluster makes Trusted Launch "
      "VMs; on plain Hyper-V:");
  std::vector<std::string> lines;
  add_list("$disks", disks.drives, lines);
  add_list("$parents", disks.parents, lines);
  lines.insert(
      lines.end(),
      {"$disks + $parents | ForEach-Object {", "  $copy = Join-Path $new $_",
       "  $null = [System.IO.Directory]::CreateDirectory((Split-Path $copy))",
       "  Copy-Item -LiteralPath (Join-Path $folder $_) -Destination $copy }",
       "$disks | ForEach-Object { Test-VHD -Path (Join-Path $new $_) }",
       std::string("New-VM -Name $vmName -Generation 2 -MemoryStartupBytes 8GB ") +
           "-VHDPath (Join-Path $new $disks[0])  # the disk it boots from",
       std::string("$disks | Select-Object -Skip 1 | ForEach-Object { ") +
           "Add-VMHardDiskDrive -VMName $vmName -Path (Join-Path $new $_) }",
       "Set-VMKeyProtector -VMName $vmName -NewLocalKeyProtector",
       "Enable-VMTPM -VMName $vmName"});
  page.powershell(lines);
  page.text("You see `True` for each disk, and the VM in `Get-VM`, off.");
  if (disks.drives.empty()) {
    page.text(
        "The manifest names no disk of the VM's drives: write into `$disks` those that "
        "`sealift vm inspect` of the `.vmcx` shows.");
  }
  if (disks.parents.empty()) return;
  page.text(
      "`$parents` is what `$disks` hang on: it lies beside them and is attached "
      "nowhere, and nothing may write to it. `False` means that a disk does not find "
      "its parent: name it with `Set-VHD -Path CHILD -ParentPath PARENT`, for each "
      "file of the chain.");
}

void write_unlock(Page& page, const Plan& /*plan*/) {
  page.text(
      "Start it. BitLocker asks for the recovery key of each disk: its id is on the "
      "screen. Look in Entra ID, Active Directory, or where your company keeps them. "
      "Then seal to the new vTPM, inside the guest:");
  page.powershell(
      {"Suspend-BitLocker -MountPoint C:", "Resume-BitLocker -MountPoint C:"});
  page.text(
      "You see Windows start without a question at the next boot. No recovery key: an "
      "encrypted disk cannot be read, by anybody. A disk without BitLocker just "
      "starts. Enrol anew what lived in the vTPM: device certificates, Windows Hello, "
      "disk locks of other software.");
}

}  // namespace sealift::restore::runbook
