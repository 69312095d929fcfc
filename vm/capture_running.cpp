// The live algorithm: everything at one instant, while the guest stands still.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/file_descriptor.h"
#include "vm/capture.h"
#include "vm/capture_ended.h"
#include "vm/capture_images.h"
#include "vm/capture_plan.h"
#include "vm/captured_files.h"
#include "vm/checkpoints.h"
#include "vm/domain_folder.h"
#include "vm/guard_process.h"
#include "vm/image_file_source.h"
#include "vm/nbd_disk_source.h"
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
// QEMU's server takes 100 clients (since the fix of CVE-2024-7409).
constexpr unsigned kMostConnections = 64;
constexpr unsigned kMostConnectionsOfDisk = 8;

base::Error busy_with_a_job(const std::string& whose) {
  return base::Error(base::ErrorCode::kBusy, "a job runs on the VM already")
      .because(whose)
      .next("wait for it, or see `virsh domjobinfo`");
}

class RunningCapture final : public Capture {
 public:
  RunningCapture(const Connection& connection, const Domain& domain)
      : connection_(connection) {
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
    RETURN_IF_ERROR(open_disks());
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
    // still happen. That the guest is paused comes last: it starts the guard's clock.
    CaptureTraces not_paused = plan_.traces;
    not_paused.is_paused = false;
    RETURN_IF_ERROR(guard_->hold(not_paused));
    RETURN_IF_ERROR(make_images(plan_));
    if (plan_.traces.is_paused) {
      RETURN_IF_ERROR(make_mark());
      RETURN_IF_ERROR(guard_->hold(plan_.traces));
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
      RETURN_IF_ERROR(guard_->hold(not_paused));
      // Whoever pauses it from now on has his reasons.
      plan_.traces.is_paused = false;
      was_paused_by_us_ = true;
    }
    if (spent > kPauseLimit) {
      return base::Error(base::ErrorCode::kHypervisor,
                         "the host was too slow: the VM stood still for more than 9 s "
                         "and was let go on");
    }
    return base::Done{};
  }

  base::Status make_mark() const {
    const base::FileDescriptor file(
        ::open(plan_.traces.mark.c_str(),
               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file) return base::Done{};
    return base::system_error(errno, "cannot create a file")
        .at("file", plan_.traces.mark.string());
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

  base::Status open_disks() {
    const auto pulled = std::max<std::size_t>(
        1, static_cast<std::size_t>(std::ranges::count(
               plan_.disks, Way::kPull, [](const auto& disk) { return disk.second; })));
    const auto connections =
        static_cast<unsigned>(std::clamp<std::size_t>(kMostConnections / pulled, 2,
                                                      kMostConnectionsOfDisk + 1) -
                              1);
    for (const auto& [disk, way] : plan_.disks) {
      if (way == Way::kPull) {
        disks_.push_back(open_pulled_disk(
            disk, plan_.traces.socket,
            plan_.tracked.contains(disk.target) ? exported_bitmap(disk.target) : "",
            *guard_, connections, [this](base::Error error) {
              return explain_reading(domain_, plan_.traces, std::move(error));
            }));
      } else {
        const bool is_tracked = plan_.tracked.contains(disk.target);
        ASSIGN_OR_RETURN(auto source,
                         open_image_files(connection_, disk, is_tracked ? since_ : ""));
        disks_.push_back(std::move(source));
      }
    }
    return base::Done{};
  }

  void note_facts() {
    facts_["method"] = was_paused_by_us_ ? "paused" : "found paused";
    facts_["guest_agent"] = "not asked";
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
  bool was_paused_by_us_ = false;
  std::string since_;  // The bitmap of a disk that is read from its frozen image.
  CapturePlan plan_;
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
  auto capture = std::make_unique<RunningCapture>(connection, domain);
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
