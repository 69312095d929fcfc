// The guard of a capture, as the capture sees it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>

#include "base/uuid.h"
#include "vm/guard_channel.h"

namespace sealift::vm {

/// The first argument of a guard: run_as_capture_guard() knows it by this.
constexpr const char* kGuardArgument = "--sealift-capture-guard";
/// Where a guard finds its channel and its lock on the VM.
constexpr int kGuardChannelDescriptor = 3;
constexpr int kGuardLockDescriptor = 4;

struct GuardedVm {
  std::string uri;
  base::Uuid uuid;
};

/// A process of its own session that outlives us and then undoes the capture. It also
/// does so when it is asked to: there is one way of undoing, used every time.
/// Threads  One at a time.
class GuardProcess {
 public:
  /// Starts `program` as guard and waits until it has its own connection to libvirt.
  /// `lock`  Our lock on the VM, which the guard then also holds.
  /// errors  kIo: it cannot be started.  kHypervisor: it cannot reach the VM.
  static base::Result<std::unique_ptr<GuardProcess>> start(
      const std::filesystem::path& program, const GuardedVm& vm, int lock);

  GuardProcess(const GuardProcess&) = delete;
  GuardProcess& operator=(const GuardProcess&) = delete;
  /// Leaves the guard to undo what it knows of, and waits for it a few seconds.
  ~GuardProcess();

  /// From now on these traces are undone. Returns before anything of them is done.
  /// errors  kIo: the guard is gone.
  base::Status hold(const CaptureTraces& traces);

  /// The guard drains `socket` before it ends the job. errors  kIo: it is gone.
  base::Status hold_socket(int socket);

  /// Whether the guard waits for what we do; not once it undoes for a capture that it
  /// takes for dead.
  bool is_watching();

  /// Has everything undone and waits for it.
  /// errors  kHypervisor, kIo: what failed; the guard goes on trying for ten minutes.
  base::Status undo();

 private:
  GuardProcess(GuardChannel channel, pid_t process)
      : channel_(std::move(channel)), process_(process) {}
  base::Result<base::Json> wait_for_answer(std::chrono::seconds limit);

  GuardChannel channel_;
  pid_t process_;
};

}  // namespace sealift::vm
