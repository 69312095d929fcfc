#include "vm/capture_ended.h"

#include <libvirt/virterror.h>

#include <chrono>
#include <thread>

#include "vm/scratch_room.h"
#include "vm/undo_capture.h"

namespace sealift::vm {

namespace {

using std::chrono::steady_clock;

constexpr auto kNewsLimit = std::chrono::seconds(3);
constexpr auto kPoll = std::chrono::milliseconds(50);

// A QEMU that ends closes its sockets before libvirt hears of it.
bool is_off_soon(const Domain& domain) {
  const auto deadline = steady_clock::now() + kNewsLimit;
  while (steady_clock::now() < deadline) {
    int state = VIR_DOMAIN_NOSTATE;
    if (virDomainGetState(domain.get(), &state, nullptr, 0) != 0 &&
        virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) {
      return true;  // It was not persistent.
    }
    if (state == VIR_DOMAIN_SHUTDOWN || state == VIR_DOMAIN_SHUTOFF) return true;
    std::this_thread::sleep_for(kPoll);
  }
  return false;
}

}  // namespace

base::Error let_go_early(const CaptureTraces& traces, const std::string& words) {
  if (const std::optional<LowRoom> room = find_low_room(traces)) {
    return base::Error(base::ErrorCode::kIo,
                       "the room for what the VM writes while it is backed up ran "
                       "out, and the backup was ended for the VM to go on")
        .because(room->words())
        .next("make room there, or name another folder with --scratch-dir");
  }
  return base::Error(base::ErrorCode::kHypervisor,
                     "the backup job was ended while the VM was backed up")
      .because(words)
      .next(
          "run the backup again; was sealift stopped (Ctrl-Z), or the job ended with "
          "`virsh domjobabort`?");
}

base::Error explain_reading(const Domain& domain, const CaptureTraces& traces,
                            base::Error error) {
  if (error.code() != base::ErrorCode::kIo) return error;
  const std::string words = base::one_line(error);
  if (is_off_soon(domain)) {
    return base::Error(base::ErrorCode::kHypervisor,
                       "the VM stopped while it was backed up")
        .because(words)
        .next("run the backup again: a VM that is off is read from its files");
  }
  const auto socket = find_backup_socket(domain);
  if (!socket || socket.value() == traces.socket) return error;
  return let_go_early(traces, words);
}

}  // namespace sealift::vm
