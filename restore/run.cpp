#include "restore/run.h"

#include "base/byte_count.h"
#include "restore/new_folder.h"
#include "restore/snapshot_contents.h"
#include "restore/undo.h"
#include "restore/volume_checks.h"
#include "restore/workers.h"
#include "vm/disk_target.h"

namespace sealift::restore {

namespace {

constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kPrivateFolder = 0700;
constexpr mode_t kPassableFolder = 0711;

class Run {
 public:
  Run(const RestoreWork& work, Target& target, base::Filesystem& filesystem,
      std::stop_token stop)
      : work_(work), target_(target), filesystem_(filesystem), stop_(std::move(stop)) {}

  base::Status all() {
    using Step = base::Status (Run::*)();
    for (const Step step : {&Run::secret, &Run::nvram, &Run::guest_state, &Run::disks,
                            &Run::volumes, &Run::definition, &Run::start}) {
      RETURN_IF_ERROR(not_stopped());
      RETURN_IF_ERROR((this->*step)());
    }
    return base::Done{};
  }

  base::Error roll_back(base::Error error) {
    tell("removing what was made");
    return undo_.roll_back(std::move(error));
  }

 private:
  void tell(const std::string& words) const {
    if (work_.progress) work_.progress(words);
  }

  base::Status not_stopped() const {
    if (!stop_.stop_requested()) return base::Done{};
    return base::Error(base::ErrorCode::kInterrupted, "the restore was stopped");
  }

  base::Status secret() {
    if (!work_.secret) return base::Done{};
    const base::Uuid uuid = work_.secret->uuid;
    tell("defining secret " + uuid.text());
    RETURN_IF_ERROR(target_.define_secret(*work_.secret));
    undo_.add("secret " + uuid.text(),
              [this, uuid] { return target_.undefine_secret(uuid); });
    return base::Done{};
  }

  base::Status write_file(const PlacedComponent& file) {
    ASSIGN_OR_RETURN(const base::Bytes content,
                     read_component(*work_.reader, file.component));
    base::Status status = base::publish(filesystem_, file.path, content, kPrivateFile);
    // After any failure but this one the file may be there, and then it is ours.
    if (!status && status.error().code() == base::ErrorCode::kBusy) return status;
    undo_.add(file.path.string(),
              [this, path = file.path] { return filesystem_.remove(path); });
    return status;
  }

  base::Status nvram() {
    if (!work_.places.nvram) return base::Done{};
    const PlacedComponent nvram{*work_.places.nvram, work_.places.nvram_path};
    tell("restoring NVRAM to " + nvram.path.string());
    RETURN_IF_ERROR(
        make_missing_folders(nvram.path.parent_path(), kPassableFolder, undo_));
    return write_file(nvram);
  }

  base::Status guest_state() {
    if (work_.places.state_folder.empty()) return base::Done{};
    const std::filesystem::path& folder = work_.places.state_folder;
    tell("restoring the vTPM state to " + folder.string());
    RETURN_IF_ERROR(make_missing_folders(folder.parent_path(), kPassableFolder, undo_));
    RETURN_IF_ERROR(make_new_folder(folder, kPassableFolder, undo_));
    RETURN_IF_ERROR(make_new_folder(folder / "tpm2", kPrivateFolder, undo_));
    RETURN_IF_ERROR(give_to_swtpm(folder / "tpm2"));
    for (const PlacedComponent& file : work_.places.guest_state) {
      RETURN_IF_ERROR(write_file(file));
      RETURN_IF_ERROR(give_to_swtpm(file.path));
    }
    return base::Done{};
  }

  base::Status disks() {
    for (const PlacedComponent& disk : work_.places.disks) {
      RETURN_IF_ERROR(not_stopped());
      base::Status status = write_disk(disk);
      if (!status) return std::move(status).error().at("disk", disk.component.name);
    }
    return base::Done{};
  }

  base::Status write_disk(const PlacedComponent& disk) {
    tell("restoring disk " + disk.component.name + " (" +
         base::ByteCount(disk.component.size).text() + ") to " + disk.path.string());
    ASSIGN_OR_RETURN(const std::unique_ptr<vm::DiskTarget> image,
                     vm::create_qcow2_disk(disk.path, disk.component.size));
    RETURN_IF_ERROR(work_.reader->read(
        disk.component,
        [&image](std::uint64_t offset, base::ByteView chunk) {
          return image->write(offset, chunk);
        },
        worker_count(), stop_, work_.checks.get()));
    RETURN_IF_ERROR(image->finish());
    undo_.add(disk.path.string(),
              [this, path = disk.path] { return filesystem_.remove(path); });
    return base::Done{};
  }

  base::Status volumes() { return check_rest(*work_.checks, work_.progress, stop_); }

  base::Status definition() {
    tell("defining the VM");
    RETURN_IF_ERROR(target_.define(work_.uuid, work_.definition));
    undo_.add("the VM's definition", [this] { return target_.undefine(work_.uuid); });
    return base::Done{};
  }

  base::Status start() {
    if (work_.after == AfterRestore::kLeaveOff) return base::Done{};
    tell("starting the VM");
    base::Status status = target_.start(work_.uuid);
    if (status) return status;
    return std::move(status).error().next(
        "restore it without --start to keep it, then look at what libvirt says of "
        "`virsh start`");
  }

  const RestoreWork& work_;
  Target& target_;
  base::Filesystem& filesystem_;
  std::stop_token stop_;
  Undo undo_;
};

}  // namespace

base::Status run_restore(const RestoreWork& work, Target& target,
                         base::Filesystem& filesystem, std::stop_token stop) {
  Run run(work, target, filesystem, std::move(stop));
  base::Status status = run.all();
  if (status) return status;
  return run.roll_back(
      std::move(status).error().at("vm", work.reader->manifest().vm_name));
}

}  // namespace sealift::restore
