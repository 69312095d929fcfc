// What an earlier run of ours left behind on a VM.
#include "vm/capture.h"
#include "vm/capture_names.h"
#include "vm/checkpoints.h"
#include "vm/domain_folder.h"
#include "vm/guest_agent.h"
#include "vm/overlay.h"
#include "vm/overlay_files.h"
#include "vm/undo_capture.h"

namespace sealift::vm {

namespace {

constexpr auto kLockPatience = std::chrono::seconds(15);

class CleanUp {
 public:
  CleanUp(const Domain& domain, const CaptureOptions& options)
      : domain_(domain), options_(options) {}

  base::Result<std::vector<std::string>> run(const base::Uuid& vm) {
    base::FileDescriptor lock;
    if (virDomainIsActive(domain_.get()) == 1) {
      ASSIGN_OR_RETURN(folder_, find_domain_folder(domain_));
      ASSIGN_OR_RETURN(lock, lock_domain_folder(folder_, kLockPatience));
      RETURN_IF_ERROR(resume());
      RETURN_IF_ERROR(thaw());
      RETURN_IF_ERROR(end_job(vm));
    }
    RETURN_IF_ERROR(commit_overlays());
    RETURN_IF_ERROR(remove_unused_overlays(vm));
    RETURN_IF_ERROR(delete_checkpoints());
    if (!folder_.empty()) RETURN_IF_ERROR(remove_files(folder_, kFilePrefix));
    if (options_.scratch_directory) {
      RETURN_IF_ERROR(
          remove_files(*options_.scratch_directory, shared_file_prefix(vm)));
    }
    return std::move(done_);
  }

 private:
  void note(const std::string& what) {
    done_.push_back("an earlier run was interrupted: " + what);
  }

  base::Status resume() {
    ASSIGN_OR_RETURN(const auto files, list_files(folder_, kFilePrefix));
    for (const auto& file : files) {
      if (!file.string().ends_with(kMarkSuffix)) continue;
      RETURN_IF_ERROR(resume_if_paused(domain_));
      RETURN_IF_ERROR(remove_if_there(file));
      note("the VM was left paused and goes on now");
    }
    return base::Done{};
  }

  // Asked once: an agent that does not answer must not keep the VM from its backups.
  base::Status thaw() {
    ASSIGN_OR_RETURN(const auto files, list_files(folder_, kFilePrefix));
    for (const auto& file : files) {
      if (!file.string().ends_with(kFrozenSuffix)) continue;
      const auto thawed = thaw_file_systems(domain_);
      RETURN_IF_ERROR(remove_if_there(file));
      note(thawed ? "the guest's file systems may have been left frozen, and go on now"
                  : "the guest's file systems may be frozen, and the guest agent does "
                    "not answer (" +
                        thawed.error().cause() +
                        "): see whether the guest writes; `virsh domfsthaw` lets them "
                        "go on");
    }
    return base::Done{};
  }

  base::Status end_job(const base::Uuid& vm) {
    ASSIGN_OR_RETURN(const std::filesystem::path socket, find_backup_socket(domain_));
    const std::string name = socket.filename().string();
    const bool is_ours = socket.parent_path() == folder_
                             ? name.starts_with(kFilePrefix)
                             : name.starts_with(shared_file_prefix(vm));
    if (!is_ours) return base::Done{};
    RETURN_IF_ERROR(end_backup_job(domain_, socket));
    RETURN_IF_ERROR(remove_if_there(socket));
    note("its backup job was ended");
    return base::Done{};
  }

  base::Status commit_overlays() {
    ASSIGN_OR_RETURN(const std::vector<Overlay> overlays, find_overlays(domain_));
    for (const Overlay& overlay : overlays) {
      RETURN_IF_ERROR(commit_overlay(domain_, overlay));
      note("the overlay of disk " + overlay.target + " was merged back");
    }
    return base::Done{};
  }

  base::Status remove_unused_overlays(const base::Uuid& vm) {
    ASSIGN_OR_RETURN(
        const auto files,
        find_unused_overlays(domain_, vm, shared_overlay_folder(options_)));
    for (const auto& file : files) {
      RETURN_IF_ERROR(remove_if_there(file));
      note("its file " + file.string() + " was removed");
    }
    return base::Done{};
  }

  base::Status delete_checkpoints() {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, list_checkpoints(domain_));
    const std::string& prefix = options_.checkpoint_prefix;
    for (const std::string& name : names) {
      const bool is_ours = !prefix.empty() && name.starts_with(prefix);
      if (!is_ours || options_.known_checkpoints.contains(name)) continue;
      RETURN_IF_ERROR(delete_checkpoint(domain_, name));
      note("its checkpoint " + name + " was deleted");
    }
    return base::Done{};
  }

  base::Status remove_files(const std::filesystem::path& folder,
                            const std::string& prefix) {
    ASSIGN_OR_RETURN(const auto files, list_files(folder, prefix));
    for (const auto& file : files) {
      RETURN_IF_ERROR(remove_if_there(file));
      note("its file " + file.string() + " was removed");
    }
    return base::Done{};
  }

  const Domain& domain_;
  const CaptureOptions& options_;
  std::filesystem::path folder_;
  std::vector<std::string> done_;
};

}  // namespace

base::Result<std::vector<std::string>> clean_up_after_earlier_run(
    const Connection& /*connection*/, const Domain& domain,
    const CaptureOptions& options) {
  const std::string name = virDomainGetName(domain.get());
  const auto vm = uuid_of(domain);
  if (!vm) return base::Error(vm.error()).at("vm", name);
  auto done = CleanUp(domain, options).run(vm.value());
  if (!done) return std::move(done).error().at("vm", name);
  return done;
}

}  // namespace sealift::vm
