#include "vm/guest_agent.h"

#include <libvirt/virterror.h>

#include <string_view>

#include "vm/xml.h"

namespace sealift::vm {

namespace {

using std::chrono::steady_clock;

constexpr std::string_view kAgentChannel = "org.qemu.guest_agent.0";
// Freezing writes out what the guest holds in memory, while more and more of its
// programs wait.
constexpr auto kFreezeLimit = std::chrono::seconds(30);

base::Error libvirt_says(std::string what) {
  return take_libvirt_error(base::ErrorCode::kHypervisor, std::move(what));
}

constexpr const char* kLikeAPowerCut =
    "the disks are as after a power cut, as in every snapshot without an agent";

}  // namespace

base::Result<AgentState> find_agent(const Domain& domain) {
  const Text xml(virDomainGetXMLDesc(domain.get(), 0));
  if (!xml) return libvirt_says("cannot read the VM's definition");
  ASSIGN_OR_RETURN(const XmlDocument document, parse_xml(xml.get()));
  for (const pugi::xml_node channel :
       document->child("domain").child("devices").children("channel")) {
    const pugi::xml_node target = channel.child("target");
    if (target.attribute("name").value() != kAgentChannel) continue;
    const std::string_view state = target.attribute("state").value();
    return state == "connected" ? AgentState::kThere : AgentState::kAway;
  }
  return AgentState::kNone;
}

base::Result<int> freeze_file_systems(const Domain& domain,
                                      std::chrono::seconds limit) {
  if (virDomainAgentSetResponseTimeout(domain.get(), static_cast<int>(limit.count()),
                                       0) != 0) {
    return libvirt_says("cannot give the guest agent a time limit");
  }
  const auto begin = steady_clock::now();
  const int frozen = virDomainFSFreeze(domain.get(), nullptr, 0, 0);
  if (frozen >= 0) return frozen;
  // libvirt asks first whether it listens, for 5 s, and says the same when it does not.
  const bool is_pending = virGetLastErrorCode() == VIR_ERR_AGENT_UNRESPONSIVE &&
                          steady_clock::now() - begin >= limit;
  return take_libvirt_error(
      is_pending ? base::ErrorCode::kBusy : base::ErrorCode::kHypervisor,
      "the guest agent did not freeze the file systems");
}

base::Result<int> thaw_file_systems(const Domain& domain) {
  const int thawed = virDomainFSThaw(domain.get(), nullptr, 0, 0);
  if (thawed >= 0) {
    // The limit that libvirt has when nobody sets one.
    static_cast<void>(virDomainAgentSetResponseTimeout(
        domain.get(), VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK, 0));
    return thawed;
  }
  const bool is_gone = virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
  base::Error error = libvirt_says("the guest agent did not thaw the file systems");
  if (is_gone || virDomainIsActive(domain.get()) == 0) return 0;
  return std::move(error).next("`virsh domfsthaw` lets them go on");
}

base::Result<bool> FileSystemHold::find(bool is_running) {
  ASSIGN_OR_RETURN(const AgentState state, find_agent(domain_));
  if (is_running && state == AgentState::kThere) return true;
  std::string why = "the VM was paused already";
  std::string advice = "let the VM go on first";
  if (state == AgentState::kNone) {
    why = "none: the VM has no channel for one";
    advice =
        "give the VM a channel org.qemu.guest_agent.0 and the guest its "
        "qemu-guest-agent";
  } else if (is_running) {
    why = "not listening";
    advice = "start qemu-guest-agent in the guest";
  }
  facts_["guest_agent"] = why;
  if (wanted_ == GuestAgent::kUsed) return false;
  return base::Error(base::ErrorCode::kRefused,
                     "no guest agent can freeze the VM's file systems")
      .because(why)
      .next(advice)
      .next("without --require-agent the VM is backed up as it is");
}

base::Status FileSystemHold::freeze() {
  since_ = steady_clock::now();
  auto frozen = freeze_file_systems(domain_, kFreezeLimit);
  if (frozen) {
    frozen_ = frozen.value();
    return base::Done{};
  }
  is_pending_ = frozen.error().code() == base::ErrorCode::kBusy;
  const std::string& cause = frozen.error().cause();
  facts_["guest_agent"] = "did not freeze: " + cause;
  if (wanted_ == GuestAgent::kRequired) {
    return base::Error(base::ErrorCode::kHypervisor, frozen.error().what())
        .because(cause)
        .next("see its log in the guest; --require-agent was given");
  }
  warnings_.push_back("the guest agent did not freeze the file systems (" + cause +
                      "): " + kLikeAPowerCut);
  return base::Done{};
}

base::Result<bool> FileSystemHold::thaw() {
  const auto thawed = thaw_file_systems(domain_);
  if (!thawed) {
    // It said no, or never listened: then it holds nothing.
    if (frozen_ == 0 && !is_pending_) return true;
    warnings_.push_back(
        "the guest agent does not say that the file systems go on (" +
        thawed.error().cause() +
        "): they are asked for again for ten minutes; `virsh domfsthaw` does the same");
    return false;
  }
  if (frozen_ == 0) return true;
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(
      steady_clock::now() - since_);
  if (thawed.value() >= frozen_) {
    facts_["guest_agent"] = "froze " + std::to_string(frozen_) + " file systems";
    facts_["frozen_milliseconds"] = std::to_string(spent.count());
    return true;
  }
  // VSS in a Windows guest gives up after ten seconds by itself.
  facts_["guest_agent"] = "thawed before the instant was over";
  if (wanted_ == GuestAgent::kRequired) {
    return base::Error(base::ErrorCode::kHypervisor,
                       "the guest's file systems did not stay frozen until the VM "
                       "stood still")
        .next("see the agent's log in the guest; --require-agent was given");
  }
  warnings_.push_back(
      std::string("the guest's file systems did not stay frozen until the VM stood "
                  "still: ") +
      kLikeAPowerCut);
  return true;
}

}  // namespace sealift::vm
