#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "restore/checks.h"
#include "restore/plan.h"

namespace sealift::restore {

namespace {

void check_virtualization(RestorePlan& plan, const vm::DefinitionFacts& facts,
                          const vm::TargetHost& host) {
  if (host.domain_types.contains(facts.domain_type)) {
    pass(plan, "virtualization", facts.domain_type + " is there");
  } else {
    block(plan, "virtualization",
          "the VM needs " + facts.domain_type + ", which this host does not have",
          facts.domain_type == "kvm"
              ? "turn on virtualization in the firmware of the host and load the "
                "module kvm_intel or kvm_amd"
              : "install QEMU for x86_64");
  }
  if (facts.machine.empty() || host.machines.contains(facts.machine)) {
    pass(plan, "machine", facts.machine.empty() ? "the host's own" : facts.machine);
  } else {
    block(plan, "machine", "QEMU of this host has no machine type " + facts.machine,
          "restore on a host whose QEMU is as new as the source's");
  }
}

void check_firmware(RestorePlan& plan, const vm::DefinitionFacts& facts) {
  if (facts.loader.empty()) return;
  if (::access(facts.loader.c_str(), R_OK) == 0) {
    pass(plan, "firmware", facts.loader);
  } else {
    block(plan, "firmware", facts.loader + " is not there",
          "install the firmware that the source has (apt-get install ovmf)");
  }
}

void check_networks(RestorePlan& plan, const vm::DefinitionFacts& facts,
                    const vm::TargetHost& host) {
  for (const std::string& network : facts.networks) {
    if (host.networks.contains(network)) {
      pass(plan, "network " + network, "is defined");
    } else {
      block(plan, "network " + network, "this host has no such network",
            "define it: virsh net-define");
    }
  }
  for (const std::string& bridge : facts.bridges) {
    std::error_code ignored;
    if (std::filesystem::exists("/sys/class/net/" + bridge, ignored)) {
      pass(plan, "bridge " + bridge, "is there");
    } else {
      block(plan, "bridge " + bridge, "this host has no such bridge",
            "make it: ip link add NAME type bridge");
    }
  }
}

}  // namespace

void check_definition(RestorePlan& plan, const vm::RebuiltDefinition& definition) {
  for (const vm::Blocker& blocker : definition.blockers) {
    block(plan, "definition", blocker.element + ": " + blocker.reason,
          "if it is meant, and the snapshot's host trusted: --allow-element '" +
              blocker.element + "'");
  }
  if (definition.blockers.empty()) {
    pass(plan, "definition", "rebuilt from what ordinary guests have");
  }
  for (const std::string& note : definition.notes) {
    warn(plan, "definition", note, "change the VM after the restore if it needs it");
  }
}

void check_host(RestorePlan& plan, const vm::DefinitionFacts& facts,
                const vm::TargetHost& host) {
  check_virtualization(plan, facts, host);
  check_firmware(plan, facts);
  check_networks(plan, facts, host);
}

}  // namespace sealift::restore
