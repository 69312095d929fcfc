// The agent inside a guest, and the guest's file systems held still by it.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "vm/capture.h"

namespace sealift::vm {

enum class AgentState {
  kNone,  ///< The VM has no channel for one.
  kAway,  ///< It has, and nothing in the guest listens.
  kThere,
};

/// Of a running VM. errors  kHypervisor.
base::Result<AgentState> find_agent(const Domain& domain);

/// What the guest holds in memory is written, and whoever writes then waits. libvirt
/// waits for an agent for ever unless it is told, so `limit` is its time limit for this
/// VM's agent until thaw_file_systems().
///
/// return  How many are frozen.
/// errors  kHypervisor: the agent refuses, or does not listen: nothing is frozen.
///         kBusy: it does not answer within `limit`, and may still freeze them.
base::Result<int> freeze_file_systems(const Domain& domain, std::chrono::seconds limit);

/// Nothing that is frozen, and a VM that is off, are no errors.
/// return  How many were frozen until now.
/// errors  kHypervisor: the agent does not answer.
base::Result<int> thaw_file_systems(const Domain& domain);

/// The agent's part in one snapshot.
class FileSystemHold {
 public:
  /// `domain` outlives the hold.
  FileSystemHold(const Domain& domain, GuestAgent wanted)
      : domain_(domain), wanted_(wanted) {}

  /// Whether freeze() is to be called.
  /// is_running  Of the VM: the agent of one that stands still answers nothing.
  /// errors  kRefused: an agent is required, and none listens.  kHypervisor.
  base::Result<bool> find(bool is_running);

  /// Whatever it returns, thaw() comes next.
  /// errors  kHypervisor: an agent is required, and it did not freeze.
  base::Status freeze();

  /// return  False: they may be, or become, frozen, and somebody has to try again.
  /// errors  kHypervisor: an agent is required, and they were thawed before.
  base::Result<bool> thaw();

  const std::map<std::string, std::string>& facts() const { return facts_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  const Domain& domain_;
  GuestAgent wanted_;
  int frozen_ = 0;
  bool is_pending_ = false;  // It was asked, and has not answered.
  std::chrono::steady_clock::time_point since_;
  std::map<std::string, std::string> facts_;
  std::vector<std::string> warnings_;
};

}  // namespace sealift::vm
