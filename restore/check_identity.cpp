#include <algorithm>
#include <string>
#include <vector>

#include "base/lower_case.h"
#include "restore/checks.h"
#include "restore/plan.h"

namespace sealift::restore {

namespace {

bool has_mac(const vm::KnownVm& known, const std::string& mac) {
  return std::ranges::any_of(known.mac_addresses, [&](const std::string& other) {
    return base::lower_case(other) == base::lower_case(mac);
  });
}

void check_name_and_uuid(RestorePlan& plan, const vm::DefinitionFacts& facts,
                         const vm::TargetHost& host) {
  const auto same_uuid = std::ranges::find(host.vms, facts.uuid, &vm::KnownVm::uuid);
  if (same_uuid != host.vms.end()) {
    block(plan, "uuid",
          "this host has a VM of UUID " + facts.uuid.text() + ": " + same_uuid->name,
          "if that is the VM itself there is nothing to restore; else put it aside "
          "with its NVRAM and vTPM state and undefine it");
  } else {
    pass(plan, "uuid", facts.uuid.text() + " is free");
  }
  const auto same_name = std::ranges::find(host.vms, facts.name, &vm::KnownVm::name);
  if (same_name != host.vms.end()) {
    block(plan, "name",
          "this host has a VM named \"" + facts.name + "\", of UUID " +
              same_name->uuid.text(),
          "give that VM another name with virsh domrename, or restore on another host");
  } else {
    pass(plan, "name", "\"" + facts.name + "\" is free");
  }
}

void check_macs(RestorePlan& plan, const vm::DefinitionFacts& facts,
                const vm::TargetHost& host) {
  for (const std::string& mac : facts.mac_addresses) {
    const auto same = std::ranges::find_if(
        host.vms, [&](const vm::KnownVm& known) { return has_mac(known, mac); });
    if (same == host.vms.end()) {
      pass(plan, "mac " + mac, "is free");
    } else {
      block(plan, "mac " + mac, "the VM \"" + same->name + "\" of this host has it",
            "change it there with virsh edit, or restore on another host");
    }
  }
}

}  // namespace

void check_snapshot(RestorePlan& plan, const archive::Manifest& manifest,
                    const vm::DefinitionFacts& facts) {
  if (facts.name != manifest.vm_name || facts.uuid.text() != manifest.vm_uuid) {
    block(plan, "snapshot",
          "its definition is that of \"" + facts.name + "\" " + facts.uuid.text() +
              ", not of \"" + manifest.vm_name + "\" " + manifest.vm_uuid,
          "choose another snapshot, and look at the host that took this one");
    return;
  }
  if (manifest.kind == "state") {
    block(plan, "snapshot", "it is a state snapshot, which holds no disks",
          "choose a full or incremental one from `sealift list`, or get its files "
          "with --to-directory");
    return;
  }
  bool is_complete = true;
  for (const archive::Verdict& verdict : manifest.verdicts) {
    if (verdict.state != "incomplete") continue;
    is_complete = false;
    if (verdict.component.empty()) continue;
    warn(plan, "snapshot",
         verdict.component + " is incomplete" +
             (verdict.reason.empty() ? "" : ": " + verdict.reason),
         "choose a complete snapshot from `sealift list` if there is one");
  }
  if (is_complete) {
    pass(plan, "snapshot", manifest.kind + ", complete, of " + manifest.created.text());
  }
  if (std::ranges::find(manifest.components, "runtime-state",
                        &archive::Component::kind) != manifest.components.end()) {
    warn(plan, "memory", "the saved memory of the VM is not restored: it will boot",
         "nothing, unless the guest had unsaved work; --to-directory gives the image");
  }
}

void check_identity(RestorePlan& plan, const archive::Manifest& manifest,
                    const vm::DefinitionFacts& facts, const vm::TargetHost& host) {
  check_name_and_uuid(plan, facts, host);
  check_macs(plan, facts, host);
  warn(plan, "source",
       "whether the VM still runs on host " + manifest.host + " of cluster " +
           manifest.cluster + " was not checked",
       "make sure that it is off there and stays off: two VMs of one identity harm "
       "each other");
}

}  // namespace sealift::restore
