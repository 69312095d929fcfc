#include "backup/vm_snapshot.h"

#include <algorithm>
#include <functional>
#include <future>

#include "backup/change_tracking.h"
#include "backup/earlier_part.h"
#include "backup/protection.h"
#include "backup/settle_checkpoints.h"
#include "backup/snapshot_commit.h"
#include "backup/store_disks.h"
#include "backup/verdict.h"
#include "backup/vm_lock.h"
#include "vm/capture.h"
#include "vm/checkpoints.h"
#include "vm/description.h"
#include "vm/live_disks.h"
#include "vm/undo_capture.h"
#include "vm/vtpm_secret.h"

namespace sealift::backup {

namespace {

std::optional<std::filesystem::path> secret_file_of(
    const BackupRequest& request, const std::string& vm,
    const vm::VmDescription& description) {
  for (const std::string& name : {vm, description.name, description.uuid.text()}) {
    const auto file = request.vtpm_secret_files.find(name);
    if (file != request.vtpm_secret_files.end()) return file->second;
  }
  return std::nullopt;
}

base::Result<std::optional<vm::VtpmSecret>> read_secret(
    const BackupEnvironment& environment, const BackupRequest& request,
    const std::string& vm, const vm::VmDescription& description) {
  if (!description.vtpm || !description.vtpm->secret)
    return std::optional<vm::VtpmSecret>();
  ASSIGN_OR_RETURN(
      vm::VtpmSecret secret,
      vm::read_vtpm_secret(*environment.connection, *description.vtpm->secret,
                           secret_file_of(request, vm, description)));
  return std::optional(std::move(secret));
}

bool holds(const std::vector<vm::CapturedFile>& files, std::string_view kind) {
  return std::ranges::find(files, kind, &vm::CapturedFile::kind) != files.end();
}

// Without its key a vTPM stays shut for ever; --allow-incomplete records that loudly.
base::Result<Protection> protect_or_record(
    const BackupRequest& request, const vm::VmDescription& description,
    const std::vector<vm::CapturedFile>& files,
    base::Result<std::optional<vm::VtpmSecret>> secret,
    const std::vector<keyvault::Recipient>& recipients) {
  auto protection = secret ? protect(description, files, secret.value(), recipients)
                           : base::Result<Protection>(std::move(secret).error());
  if (protection || request.missing == vm::Missing::kFails) return protection;
  const base::Error& error = protection.error();
  Protection incomplete;
  incomplete.guest_state = {"guest-state", "complete", "its key was not proved"};
  if (!holds(files, "guest-state")) {
    incomplete.guest_state = {"guest-state", "absent", "the VM was never started"};
  }
  incomplete.protection_key = {"protection-key", "incomplete", error.what()};
  incomplete.warnings.push_back(
      "the snapshot is incomplete, the restored guest will not "
      "unlock: " +
      error.what());
  return incomplete;
}

base::Status add_files(archive::ArchiveWriter& writer,
                       const std::vector<vm::CapturedFile>& files) {
  for (const vm::CapturedFile& file : files) {
    auto attributes = file.attributes;
    if (!file.path.empty()) attributes["path"] = file.path.string();
    RETURN_IF_ERROR(
        writer.add_file(file.kind, file.name, file.content, std::move(attributes)));
  }
  return base::Done{};
}

base::Result<std::unique_ptr<vm::Capture>> begin_capture(
    const BackupEnvironment& environment, const vm::Domain& domain,
    const vm::VmDescription& description, const vm::CaptureOptions& options) {
  const bool is_live = description.state == vm::RunState::kRunning ||
                       description.state == vm::RunState::kPaused;
  return is_live ? vm::capture_running(*environment.connection, domain, description,
                                       options)
                 : vm::capture_stopped(*environment.connection, domain, description,
                                       options);
}

// What libvirt makes at a VM's first start, and makes anew in silence once it is gone.
struct PartThatMayBeLost {
  std::string component;
  std::string place;  ///< "folder", "file".
  std::filesystem::path path;
  std::string what;
};

std::vector<PartThatMayBeLost> parts_that_may_be_lost(
    const vm::VmDescription& description) {
  std::vector<PartThatMayBeLost> parts;
  if (description.vtpm) {
    parts.push_back({"guest-state", "folder", description.vtpm->state_directory,
                     "the VM has a vTPM and its state is missing"});
  }
  if (description.firmware && !description.firmware->nvram.empty()) {
    parts.push_back({"firmware-vars", "file", description.firmware->nvram,
                     "the VM had an NVRAM and its file is missing"});
  }
  return parts;
}

class SnapshotTaker {
 public:
  SnapshotTaker(BackupEnvironment& environment, const BackupRequest& request,
                const std::string& vm, const std::stop_token& stop)
      : environment_(environment),
        request_(request),
        vm_(vm),
        stop_(stop),
        known_(environment.catalog) {}

  base::Result<TakenSnapshot> take() {
    ASSIGN_OR_RETURN(const vm::Domain domain,
                     vm::find_domain(*environment_.connection, vm_));
    ASSIGN_OR_RETURN(vm::VmDescription description,
                     vm::describe(*environment_.connection, domain, request_.missing));
    ASSIGN_OR_RETURN(const VmLock lock, lock_vm(environment_.vault, description.uuid));
    ASSIGN_OR_RETURN(const archive::ArchiveId id, archive::ArchiveWriter::draw_id());
    vm::CaptureOptions options;
    options.scratch_directory = request_.scratch_directory;
    options.missing = request_.missing;
    options.agent = request_.agent;
    options.checkpoint_prefix = checkpoint_prefix(environment_.repository.id());
    checkpoint_ = checkpoint_name(environment_.repository.id(), id);
    options.checkpoint = checkpoint_;
    ASSIGN_OR_RETURN(options.known_checkpoints,
                     checkpoints_of(environment_, description.uuid));
    ASSIGN_OR_RETURN(taken_.warnings, vm::clean_up_after_earlier_run(
                                          *environment_.connection, domain, options));
    if (!taken_.warnings.empty()) {
      // What was cleaned up may have been part of the description.
      ASSIGN_OR_RETURN(description, vm::describe(*environment_.connection, domain,
                                                 request_.missing));
    }
    ASSIGN_OR_RETURN(tracking_,
                     find_changes(environment_, request_, domain, description));
    auto secret = read_secret(environment_, request_, vm_, description);
    if (!secret && request_.missing == vm::Missing::kFails)
      return std::move(secret).error();

    ASSIGN_OR_RETURN(const std::unique_ptr<vm::Capture> capture,
                     begin_with_changes(domain, description, options));
    taken_.pause = capture->pause();
    std::ranges::move(capture->warnings(), std::back_inserter(taken_.warnings));
    RETURN_IF_ERROR(note_differences(description));
    RETURN_IF_ERROR(note_missing(*capture, description));
    ASSIGN_OR_RETURN(
        Protection protection,
        protect_or_record(request_, description, capture->files(), std::move(secret),
                          environment_.repository.document().recipients));
    std::ranges::copy(protection.warnings, std::back_inserter(taken_.warnings));
    ASSIGN_OR_RETURN(
        const std::unique_ptr<archive::ArchiveWriter> writer,
        archive::ArchiveWriter::begin(
            environment_.repository, environment_.keys,
            environment_.vault.signing_key(), known_, id, capture->instant(),
            archive_options(environment_, request_.volume_size)));
    RETURN_IF_ERROR(add_files(*writer, capture->files()));
    Pace pace({request_.read_limit, request_.write_limit}, *writer, stop_);
    RETURN_IF_ERROR(store_large_files(*writer, *capture, pace));
    // Asked while the disks are read: the programs take as long as a small disk.
    versions_ = std::async(std::launch::async, vm::host_versions,
                           std::cref(*environment_.connection));
    RETURN_IF_ERROR(store_all_disks(*writer, *capture, description, pace));
    auto stored = capture->finish();
    if (stored) stored = commit(*writer, *capture, description, std::move(protection));
    if (!stored) {
      // Without a snapshot the new one is in the way.
      static_cast<void>(vm::delete_checkpoint(domain, checkpoint_));
      return std::move(stored).error();
    }
    if (capture->has_checkpoint()) {
      std::ranges::move(settle_checkpoints(domain, description, options),
                        std::back_inserter(taken_.warnings));
    }
    return std::move(taken_);
  }

 private:
  // A bitmap may get lost between the question and the job.
  bool are_changes_still_known(const vm::Domain& domain) const {
    const auto changed = vm::changed_since(domain, tracking_.since);
    return changed &&
           std::ranges::all_of(tracking_.targets, [&](const std::string& target) {
             const auto found = changed->find(target);
             return found != changed->end() && found->second;
           });
  }

  // QEMU may refuse what it promised before: then everything is read.
  base::Result<std::unique_ptr<vm::Capture>> begin_with_changes(
      const vm::Domain& domain, const vm::VmDescription& description,
      vm::CaptureOptions& options) {
    if (!tracking_.targets.empty()) {
      options.changes = vm::ChangesWanted{tracking_.since, tracking_.targets};
    }
    auto capture = begin_capture(environment_, domain, description, options);
    if (!capture && options.changes && !are_changes_still_known(domain)) {
      tracking_.give_up_broken("libvirt refuses to say what changed: " +
                               capture.error().cause());
      options.changes.reset();
      capture = begin_capture(environment_, domain, description, options);
    }
    for (const auto& [target, reason] : tracking_.broken) {
      taken_.warnings.push_back(std::string("disk ")
                                    .append(target)
                                    .append(": all of it is read: ")
                                    .append(reason));
    }
    return capture;
  }

  base::Status note_differences(const vm::VmDescription& description) {
    ASSIGN_OR_RETURN(
        const vm::LiveDisks disks,
        vm::with_live_disks(description.inactive_xml, description.active_xml));
    std::ranges::move(vm::words_of(disks), std::back_inserter(taken_.warnings));
    return base::Done{};
  }

  base::Status note_missing(const vm::Capture& capture,
                            const vm::VmDescription& description) {
    missing_ = capture.missing();
    for (const auto& [target, reason] : description.unread_disks) {
      missing_.push_back({"disk " + target, reason});
    }
    for (const PartThatMayBeLost& part : parts_that_may_be_lost(description)) {
      RETURN_IF_ERROR(note_if_lost(part, capture, description));
    }
    const bool is_new =
        description.vtpm && missing_.empty() && !holds(capture.files(), "guest-state");
    if (is_new && holds(capture.files(), "firmware-vars")) {
      taken_.warnings.emplace_back(
          "its NVRAM is there and its vTPM state is not: it is taken for a VM that was "
          "never started");
    }
    for (const vm::MissingPart& part : missing_) {
      taken_.warnings.push_back("the snapshot is incomplete: " + part.component + ": " +
                                part.reason);
    }
    return base::Done{};
  }

  // Of a VM that is off, and looks as if it had never had the part.
  base::Status note_if_lost(const PartThatMayBeLost& part, const vm::Capture& capture,
                            const vm::VmDescription& description) {
    const bool is_known =
        std::ranges::find(missing_, part.component, &vm::MissingPart::component) !=
        missing_.end();
    if (is_known || holds(capture.files(), part.component)) return base::Done{};
    ASSIGN_OR_RETURN(const std::optional<catalog::Snapshot> earlier,
                     find_earlier_part(environment_, description.uuid, part.component));
    if (!earlier) return base::Done{};
    if (request_.missing == vm::Missing::kFails) {
      return base::Error(base::ErrorCode::kRefused, part.what)
          .at(part.place, part.path.string())
          .at("component", part.component)
          .because("snapshot " + earlier->id.hex() + " of " + earlier->created.text() +
                   " holds it")
          .next("restore the VM from that snapshot, or bring it back from there")
          .next(vm::kBackUpTheRest);
    }
    missing_.push_back(
        {part.component, "it is gone; snapshot " + earlier->id.hex() + " holds it"});
    return base::Done{};
  }

  base::Status store_all_disks(archive::ArchiveWriter& writer,
                               const vm::Capture& capture,
                               const vm::VmDescription& description, Pace& pace) {
    const auto say = [this](const std::string& words) {
      if (environment_.progress) environment_.progress(vm_, words);
    };
    ASSIGN_OR_RETURN(stored_,
                     store_disks(capture, description, tracking_, known_, writer,
                                 environment_.repository.document().settings.chunk_size,
                                 pace, say, stop_));
    std::ranges::move(stored_.warnings, std::back_inserter(taken_.warnings));
    return base::Done{};
  }

  base::Status store_large_files(archive::ArchiveWriter& writer,
                                 const vm::Capture& capture, Pace& pace) {
    base::Bytes chunk;
    const std::uint64_t chunk_size =
        environment_.repository.document().settings.chunk_size;
    for (const std::unique_ptr<vm::LargeFile>& file : capture.large_files()) {
      ASSIGN_OR_RETURN(const std::unique_ptr<archive::ComponentWriter> component,
                       writer.add_component(file->kind(), file->name(),
                                            archive::IdScope::kPrivate, file->size()));
      for (std::uint64_t offset = 0; offset < file->size(); offset += chunk_size) {
        if (stop_.stop_requested()) {
          return base::Error(base::ErrorCode::kInterrupted, "the run was stopped");
        }
        chunk.resize(std::min(chunk_size, file->size() - offset));
        RETURN_IF_ERROR(file->read(offset, chunk));
        RETURN_IF_ERROR(component->put(offset / chunk_size, chunk));
        RETURN_IF_ERROR(component->finish_below(offset / chunk_size));
        pace.keep(chunk.size());
      }
      RETURN_IF_ERROR(component->finish({{"path", file->path().string()}}));
    }
    return base::Done{};
  }

  base::Status commit(archive::ArchiveWriter& writer, const vm::Capture& capture,
                      const vm::VmDescription& description, Protection protection) {
    archive::Manifest manifest;
    manifest.vm_name = description.name;
    manifest.vm_uuid = description.uuid.text();
    manifest.platform = "libvirt";
    manifest.cluster = request_.cluster;
    manifest.host = request_.host;
    manifest.created = capture.instant();
    manifest.kind = stored_.is_incremental ? "incremental" : "full";
    manifest.read = stored_.is_incremental ? "changed" : "all";
    manifest.verdicts = judge(description, capture.files(), missing_, protection);
    for (const archive::ProtectionKeyFile& file : protection.files) {
      manifest.protection_keys.push_back(file.entry);
    }
    manifest.consistency = capture.facts();
    manifest.consistency.merge(stored_.facts);
    if (capture.has_checkpoint()) manifest.consistency[kCheckpointFact] = checkpoint_;
    manifest.consistency["pause_milliseconds"] =
        std::to_string(capture.pause().count());
    for (auto& [program, version] : versions_.get()) {
      manifest.versions[program] = version;
    }
    manifest.versions["sealift"] = SEALIFT_VERSION;
    ASSIGN_OR_RETURN(taken_.committed,
                     commit_snapshot(environment_, writer, std::move(manifest),
                                     std::move(protection.files)));
    return base::Done{};
  }

  BackupEnvironment& environment_;
  const BackupRequest& request_;
  const std::string& vm_;
  const std::stop_token& stop_;
  KnownUntilDamage known_;
  ChangeTracking tracking_;
  std::string checkpoint_;
  std::vector<vm::MissingPart> missing_;
  StoredDisks stored_;
  std::future<std::vector<std::pair<std::string, std::string>>> versions_;
  TakenSnapshot taken_;
};

}  // namespace

base::Result<TakenSnapshot> take_snapshot(BackupEnvironment& environment,
                                          const BackupRequest& request,
                                          const std::string& vm,
                                          const std::stop_token& stop) {
  return SnapshotTaker(environment, request, vm, stop).take();
}

}  // namespace sealift::backup
