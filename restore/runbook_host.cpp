#include "archive/restored_names.h"
#include "restore/runbook_parts.h"
#include "restore/runbook_text.h"

namespace sealift::restore::runbook {

namespace {

constexpr const char* kNameAndBuild =
    "Get-ComputerInfo | Select-Object CsName, OsVersion, OsBuildNumber";

}  // namespace

void write_old_host(Page& page, const Plan& plan) {
  page.text(plan.facts.source_cluster.empty()
                ? "Is the host that it ran on still there, with its Windows?"
                : "Is host " + code(plan.facts.source_host) + " of cluster " +
                      code(plan.facts.source_cluster) +
                      " still there, with its Windows?");
  page.powershell({kNameAndBuild});
  page.text(
      "You see that name on the host that you mean to use. **Yes**: do the steps to " +
      plan.step(Step::kProve) +
      " there. A host of that name that was installed anew has another seed and counts "
      "as no. **No**: read " +
      plan.step(Step::kFolder) + " and " + plan.step(Step::kHost) + ", then go on at " +
      plan.step(Step::kNewVm) + ".");
}

void write_folder(Page& page, const Plan& plan) {
  page.text(
      "Copy it to `$folder`. The import copies once more, so this one stays untouched "
      "and can be tried again: every start re-keys an encrypted guest state. Only host "
      "administrators may read it.");
  page.powershell(
      {"icacls $folder /inheritance:r /grant '*S-1-5-32-544:(OI)(CI)F' "
       "'*S-1-5-18:(OI)(CI)F'"});
  page.text(
      "Hold the copy against what Sealift wrote: " + code(archive::kRestoreRecord) +
      " has the "
      "SHA-256 of every file, disks too. It reads every byte, so it takes as long as "
      "the copy did.");
  page.powershell(
      {"$said = $null",
       "$said = Get-Content -Raw -Encoding UTF8 -LiteralPath (Join-Path $folder " +
           powershell_text(archive::kRestoreRecord) + ") | ConvertFrom-Json",
       "$files = @($said.files) + @($said.keys)", "$bad = @($files | Where-Object {",
       "  $file = Join-Path $folder $_.path",
       "  -not (Test-Path -LiteralPath $file -PathType Leaf) -or",
       "  (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash -ne $_.sha256 })",
       "$bad | ForEach-Object { \"BAD: $($_.path)\" }",
       "\"$($files.Count) files, bad: $($bad.Count)\""});
  std::string next =
      "You see how many files there are, and `bad: 0`. Anything else: `$folder` is "
      "wrong, or the copy is not whole; copy again what is named.";
  if (plan.facts.guest_state != GuestStateProtection::kAbsent) {
    next +=
        " Never mix these files with those of another snapshot: guest state and disks "
        "belong to one boot.";
  }
  if (plan.facts.has_saved_memory) {
    next += " The `.VMRS` holds the guest's memory in clear, with its secrets.";
  }
  page.text(next);
}

void write_host(Page& page, const Plan& plan) {
  std::vector<std::string> lines{
      "Get-ClusterNode | ForEach-Object { Get-Service -ComputerName $_.Name -Name "
      "IGVmAgent }",
      kNameAndBuild};
  std::string seen = "You see the IGVM agent `Running` on every host";
  if (plan.needs_key) {
    lines.emplace_back("(Get-MocConfig).moduleVersion; (Get-MocConfig).version");
    seen += ", MOC PowerShell 1.2.27 or later and MOC 1.14.1.10414 or later";
  }
  page.powershell(lines);
  page.text(seen +
            ". If the agent does not run, no Trusted Launch VM starts: start it, or "
            "finish the cluster's update first (a binary that does not match the "
            "release breaks these VMs). The source ran build " +
            code(plan.facts.host_build) +
            ". A newer build may treat an old guest state and its attestation key "
            "differently (fixes for CVE-2025-49707 and CVE-2025-53781); an older one "
            "is not worth a try.");
}

void write_old_vm(Page& page, const Plan& plan) {
  page.text(plan.place == Place::kSame
                ? "This cluster may still know the VM by its id. Two VMs of one id "
                  "share one key and one identity."
                : "On the cluster that it came from, the VM may still be known:");
  page.powershell(
      {"Get-ClusterNode | ForEach-Object { Get-VM -ComputerName $_.Name -Id $vmId "
       "-ErrorAction SilentlyContinue }"});
  page.text("You see nothing: go on. You see a VM: **the decision is yours.**");
  page.items(
      {"Keep it, and stop here. Its state is newer than this snapshot.",
       "Keep its files: `Stop-VM`, then `Export-VM -Name ... -Path ...`, then remove "
       "it. `Rename-VM` alone does not help: a new name leaves the id taken.",
       "Remove it, on the host that shows it. `Remove-VM` deletes the configuration "
       "and leaves the disks:"});
  page.powershell(
      {"Get-ClusterGroup -VMId $vmId | Remove-ClusterGroup -RemoveResources",
       "Get-VM -Id $vmId | Remove-VM"});
  page.text(
      "Do not delete it in the Azure portal: its resource would go too, and perhaps "
      "its key.");
}

}  // namespace sealift::restore::runbook
