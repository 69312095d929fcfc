// The live algorithm: everything at one instant, while the guest stands still.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/file_descriptor.h"
#include "vm/capture.h"
#include "vm/capture_disks.h"
#include "vm/capture_ended.h"
#include "vm/capture_images.h"
#include "vm/capture_plan.h"
#include "vm/captured_files.h"
#include "vm/checkpoints.h"
#include "vm/domain_folder.h"
#include "vm/guard_process.h"
#include "vm/guest_agent.h"
#include "vm/overlay.h"
#include "vm/pause_watch.h"
#include "vm/scratch_room.h"
#include "vm/undo_capture.h"
#include "vm/xml.h"

namespace sealift::vm {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The guard of an earlier run may still be cleaning up.
constexpr auto kLockPatience = std::chrono::seconds(15);
// The guard lets a guest go on after 10 s; what was read after that is not one instant.
constexpr auto kPauseLimit = std::chrono::seconds(9);
constexpr auto kEventLimit = std::chrono::seconds(2);

base::Error busy_with_a_job(const std::string& whose) {
  return base::Error(base::ErrorCode::kBusy, "a job runs on the VM already")
      .because(whose)
      .next("wait for it, or see `virsh domjobinfo`");
}

class RunningCapture final : public Capture {
 public:
  RunningCapture(const Connection& connection, const Domain& domain, GuestAgent agent)
      : connection_(connection), file_systems_(domain_, agent) {
    virDomainRef(domain.get());
    domain_.reset(domain.get());
  }
  RunningCapture(const RunningCapture&) = delete;
  RunningCapture& operator=(const RunningCapture&) = delete;
  ~RunningCapture() override { abandon(); }

  // What went wrong first is what to tell; the next run reports what is left.
  void abandon() { static_cast<void>(end()); }

  base::Status take(const VmDescription& vm, const CaptureOptions& options) {
    vm_name_ = vm.name;
    missing_policy_ = options.missing;
    if (options.changes) since_ = options.changes->since;
    ASSIGN_OR_RETURN(const std::filesystem::path folder, find_domain_folder(domain_));
    ASSIGN_OR_RETURN(const base::FileDescriptor lock,
                     lock_domain_folder(folder, kLockPatience));
    ASSIGN_OR_RETURN(plan_, plan_capture(domain_, vm, options, folder));
    RETURN_IF_ERROR(refuse_if_busy());
    RETURN_IF_ERROR(refuse_if_room_is_low());
    ASSIGN_OR_RETURN(has_agent_, file_systems_.find(plan_.traces.is_paused));
    ASSIGN_OR_RETURN(const std::unique_ptr<PauseWatch> watch,
                     PauseWatch::start(connection_, domain_));
    const Text uri(virConnectGetURI(connection_.get()));
    if (!uri) {
      return take_libvirt_error(base::ErrorCode::kHypervisor,
                                "cannot ask libvirt for its URI");
    }
    ASSIGN_OR_RETURN(guard_, GuardProcess::start(options.guard_program,
                                                 {uri.get(), vm.uuid}, lock.get()));
    RETURN_IF_ERROR(hold_still(vm));
    RETURN_IF_ERROR(check_disks_are(vm, files_));
    if (was_paused_by_us_) pause_ = measured_pause(*watch);
    ASSIGN_OR_RETURN(disks_,
                     open_captured_disks(connection_, domain_, plan_, since_, *guard_));
    note_facts();
    return base::Done{};
  }

  base::Timestamp instant() const override { return instant_; }
  milliseconds pause() const override { return pause_; }
  const std::vector<CapturedFile>& files() const override { return files_; }
  const std::vector<MissingPart>& missing() const override { return missing_; }
  const std::vector<std::unique_ptr<LargeFile>>& large_files() const override {
    return large_files_;
  }
  const std::vector<std::unique_ptr<DiskSource>>& disks() const override {
    return disks_;
  }
  const std::map<std::string, std::string>& facts() const override { return facts_; }
  std::vector<std::string> warnings() const override {
    return file_systems_.warnings();
  }

  bool has_checkpoint() const override { return has_checkpoint_; }

  base::Status finish() override {
    if (!guard_) return base::Done{};
    // From here on it is the next run that knows whether a snapshot goes with it.
    has_checkpoint_ = !plan_.traces.checkpoint.empty();
    plan_.traces.checkpoint.clear();
    static_cast<void>(guard_->hold(plan_.traces));
    auto frozen = were_images_frozen();
    RETURN_IF_ERROR(end());
    return frozen;
  }

 private:
  base::Status end() {
    if (!guard_) return base::Done{};
    auto status = guard_->undo();
    if (!status && status.error().code() == base::ErrorCode::kIo) {
      // The guard is dead, or could not: what it would have done is done here.
      disks_.clear();
      auto failures = undo_capture(domain_, plan_.traces);
      if (failures.empty()) {
        status = base::Done{};
      } else {
        status = std::move(failures.front());
      }
    }
    disks_.clear();
    guard_.reset();
    if (!status) return std::move(status).error().at("vm", vm_name_);
    return base::Done{};
  }

  // A frozen image can be read on while its overlay is committed to it: nothing breaks.
  base::Status were_images_frozen() {
    if (plan_.traces.overlays.empty()) return base::Done{};
    if (!guard_->is_watching()) {
      return let_go_early(plan_.traces,
                          "the guard of the capture merges the overlays, or is gone");
    }
    for (const Overlay& overlay : plan_.traces.overlays) {
      ASSIGN_OR_RETURN(const bool is_frozen, is_base_frozen(domain_, overlay));
      if (is_frozen) continue;
      return let_go_early(
          plan_.traces, "another program merged the overlay of disk " + overlay.target);
    }
    return base::Done{};
  }

  base::Status refuse_if_busy() {
    ASSIGN_OR_RETURN(const std::string socket, find_backup_socket(domain_));
    if (!socket.empty()) return busy_with_a_job("a backup job with socket " + socket);
    ASSIGN_OR_RETURN(const bool is_busy, is_job_running(domain_));
    if (is_busy) return busy_with_a_job("");
    return base::Done{};
  }

  base::Status refuse_if_room_is_low() const {
    const std::optional<LowRoom> room = find_low_room(plan_.traces);
    if (!room) return base::Done{};
    return base::Error(base::ErrorCode::kRefused,
                       "there is too little room for what the VM writes while it is "
                       "backed up")
        .because(room->words())
        .next("make room there, or name another folder with --scratch-dir");
  }

  base::Status hold_still(const VmDescription& vm) {
    // All of it, before any of it is done: whatever a dead capture had asked for may
    // still happen. What starts the guard's clocks comes last.
    RETURN_IF_ERROR(tell_guard(Pause::kNotYet));
    RETURN_IF_ERROR(make_images(plan_));
    RETURN_IF_ERROR(freeze_file_systems());
    auto status = pause_for_instant(vm);
    auto thawed = thaw_file_systems();
    RETURN_IF_ERROR(status);
    return thawed;
  }

  enum class Pause { kNotYet, kAsPlanned };
  base::Status tell_guard(Pause pause) {
    CaptureTraces traces = plan_.traces;
    if (pause == Pause::kNotYet) traces.is_paused = false;
    return guard_->hold(traces);
  }

  base::Status freeze_file_systems() {
    if (!has_agent_) return base::Done{};
    RETURN_IF_ERROR(make_mark(plan_.traces.frozen_mark));
    plan_.traces.is_frozen = true;
    RETURN_IF_ERROR(tell_guard(Pause::kNotYet));
    return file_systems_.freeze();
  }

  base::Status thaw_file_systems() {
    if (!plan_.traces.is_frozen) return base::Done{};
    ASSIGN_OR_RETURN(const bool is_thawed, file_systems_.thaw());
    if (!is_thawed) return base::Done{};
    RETURN_IF_ERROR(remove_if_there(plan_.traces.frozen_mark));
    plan_.traces.is_frozen = false;
    return tell_guard(Pause::kAsPlanned);
  }

  base::Status pause_for_instant(const VmDescription& vm) {
    if (plan_.traces.is_paused) {
      RETURN_IF_ERROR(make_mark(plan_.traces.mark));
      RETURN_IF_ERROR(tell_guard(Pause::kAsPlanned));
    }
    const auto begin = steady_clock::now();
    if (plan_.traces.is_paused && virDomainSuspend(domain_.get()) != 0) {
      return take_libvirt_error(base::ErrorCode::kHypervisor, "cannot pause the VM");
    }
    auto status = take_instant(vm);
    if (plan_.traces.is_paused && virDomainResume(domain_.get()) != 0) {
      base::Error error =
          take_libvirt_error(base::ErrorCode::kHypervisor, "cannot let the VM go on");
      if (status) status = std::move(error);
    }
    const auto spent = steady_clock::now() - begin;
    if (!status) return status;
    pause_ = std::chrono::duration_cast<milliseconds>(spent);
    if (plan_.traces.is_paused) {
      RETURN_IF_ERROR(remove_if_there(plan_.traces.mark));
      // Whoever pauses it from now on has his reasons.
      plan_.traces.is_paused = false;
      RETURN_IF_ERROR(tell_guard(Pause::kNotYet));
      was_paused_by_us_ = true;
    }
    if (spent > kPauseLimit) {
      return base::Error(base::ErrorCode::kHypervisor,
                         "the host was too slow: the VM stood still for more than 9 s "
                         "and was let go on");
    }
    return base::Done{};
  }

  static base::Status make_mark(const std::filesystem::path& mark) {
    const base::FileDescriptor file(::open(
        mark.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file) return base::Done{};
    return base::system_error(errno, "cannot create a file").at("file", mark.string());
  }

  base::Status take_instant(const VmDescription& vm) {
    instant_ = base::SystemClock().now();
    ASSIGN_OR_RETURN(files_, read_definitions(domain_));
    const char* checkpoint =
        plan_.checkpoint_xml.empty() ? nullptr : plan_.checkpoint_xml.c_str();
    if (checkpoint != nullptr && plan_.is_checkpoint_apart) {
      RETURN_IF_ERROR(create_checkpoint(domain_, plan_.checkpoint_xml));
      checkpoint = nullptr;
    }
    if (!plan_.traces.overlays.empty()) {
      RETURN_IF_ERROR(
          freeze_under_overlays(domain_, plan_.traces.overlays, plan_.targets));
    }
    if (!plan_.backup_xml.empty() &&
        virDomainBackupBegin(domain_.get(), plan_.backup_xml.c_str(), checkpoint,
                             VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL) != 0) {
      return take_libvirt_error(base::ErrorCode::kHypervisor,
                                "cannot start the backup job")
          .next("see /var/log/libvirt/qemu/ for QEMU's own words");
    }
    ASSIGN_OR_RETURN(StateFiles state, read_state_files(vm, missing_policy_));
    std::ranges::move(state.files, std::back_inserter(files_));
    missing_ = std::move(state.missing);
    return base::Done{};
  }

  milliseconds measured_pause(PauseWatch& watch) {
    const auto events = watch.wait_for_pause(kEventLimit);
    facts_["pause_measured"] = events ? "STOP to RESUME events" : "by our own clock";
    if (!events) return pause_;
    return std::chrono::ceil<milliseconds>(*events);
  }

  void note_facts() {
    facts_["method"] = was_paused_by_us_ ? "paused" : "found paused";
    facts_.insert(file_systems_.facts().begin(), file_systems_.facts().end());
    for (const auto& [disk, way] : plan_.disks) {
      facts_["disk_" + disk.target] = way == Way::kPull      ? "pull-mode backup"
                                      : way == Way::kOverlay ? "frozen under an overlay"
                                                             : "read-only image";
    }
  }

  const Connection& connection_;
  Domain domain_;
  std::string vm_name_;
  bool has_checkpoint_ = false;
  bool has_agent_ = false;
  bool was_paused_by_us_ = false;
  std::string since_;  // The bitmap of a disk that is read from its frozen image.
  CapturePlan plan_;
  FileSystemHold file_systems_;
  base::Timestamp instant_;
  milliseconds pause_{0};
  Missing missing_policy_ = Missing::kFails;
  std::vector<CapturedFile> files_;
  std::vector<MissingPart> missing_;
  std::vector<std::unique_ptr<LargeFile>> large_files_;  // A running VM has none.
  std::map<std::string, std::string> facts_;
  std::unique_ptr<GuardProcess> guard_;  // Outlives the disks that use it.
  std::vector<std::unique_ptr<DiskSource>> disks_;
};

}  // namespace

base::Result<std::unique_ptr<Capture>> capture_running(const Connection& connection,
                                                       const Domain& domain,
                                                       const VmDescription& description,
                                                       const CaptureOptions& options) {
  auto capture = std::make_unique<RunningCapture>(connection, domain, options.agent);
  if (auto status = capture->take(description, options); !status) {
    base::Error error = std::move(status).error();
    capture->abandon();
    if (options.scratch_directory && error.code() == base::ErrorCode::kHypervisor) {
      error.next("may QEMU's user write into the folder of --scratch-dir? `namei -l " +
                 options.scratch_directory->string() + "` shows it");
    }
    return std::move(error).at("vm", description.name);
  }
  return std::unique_ptr<Capture>(std::move(capture));
}

}  // namespace sealift::vm
