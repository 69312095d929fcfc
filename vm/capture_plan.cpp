#include "vm/capture_plan.h"

#include <sys/un.h>

#include <algorithm>

#include "vm/capture_names.h"
#include "vm/overlay_files.h"
#include "vm/running_qemu.h"

namespace sealift::vm {

namespace {

base::Result<Way> choose_way(const Disk& disk, const QemuVersion& qemu) {
  if (disk.is_read_only) return Way::kFile;
  // Before the fix any client that leaves, a reset of the guest, or a pause kills the
  // guest; see running_qemu.h.
  if (!disk.has_iothread || qemu >= kFirstSafeWithIothreads) return Way::kPull;
  if (disk.rbd) {
    return base::Error(
               base::ErrorCode::kRefused,
               "an RBD image with an iothread cannot be read while this version "
               "of QEMU runs the VM")
        .at("disk", disk.target)
        .next(
            "back up the VM while it is off, or take the iothread from the disk, or "
            "move to QEMU 8.2.3 or newer");
  }
  return Way::kOverlay;
}

base::Status check_socket_length(const std::filesystem::path& socket) {
  if (socket.string().size() < sizeof(sockaddr_un::sun_path)) return base::Done{};
  return base::Error(base::ErrorCode::kRefused,
                     "the path of the backup's socket is too long for the system")
      .at("socket", socket.string())
      .next("name a folder with a shorter path with --scratch-dir");
}

}  // namespace

base::Result<CapturePlan> plan_capture(const Domain& domain, const VmDescription& vm,
                                       const CaptureOptions& options,
                                       const std::filesystem::path& folder) {
  ASSIGN_OR_RETURN(const std::string run, draw_run_name());
  const std::filesystem::path scratch =
      (options.scratch_directory
           ? *options.scratch_directory / shared_file_prefix(vm.uuid)
           : folder / kFilePrefix)
          .string() +
      run;
  const QemuVersion qemu = running_qemu_version(domain);

  CapturePlan plan;
  plan.traces.is_paused = vm.state == RunState::kRunning;
  plan.traces.mark = folder / (kFilePrefix + run + kMarkSuffix);
  plan.traces.frozen_mark = folder / (kFilePrefix + run + kFrozenSuffix);
  std::vector<PulledDisk> pulled;
  std::vector<std::string> others = vm.removable_targets;
  for (const auto& [target, reason] : vm.unread_disks) others.push_back(target);
  plan.targets = others;
  std::vector<std::string> with_bitmap;
  std::vector<std::string> without_bitmap = others;
  for (const Disk& disk : vm.disks) {
    ASSIGN_OR_RETURN(const Way way, choose_way(disk, qemu));
    plan.disks.emplace_back(disk, way);
    plan.targets.push_back(disk.target);
    const bool is_written = way != Way::kFile;
    const bool is_tracked =
        is_written && options.changes && options.changes->targets.contains(disk.target);
    if (is_tracked) plan.tracked.insert(disk.target);
    (is_written && disk.can_hold_bitmaps ? with_bitmap : without_bitmap)
        .push_back(disk.target);
    if (way == Way::kPull) {
      pulled.push_back({disk.target, scratch.string() + "-" + disk.target,
                        is_tracked ? options.changes->since : std::string()});
      plan.traces.scratch_files.push_back(pulled.back().scratch);
    } else {
      others.push_back(disk.target);
    }
    if (way == Way::kOverlay) {
      plan.is_checkpoint_apart = plan.is_checkpoint_apart || disk.can_hold_bitmaps;
      plan.traces.overlays.push_back(
          plan_overlay(disk, vm.uuid, run, shared_overlay_folder(options)));
    }
  }
  if (!options.checkpoint.empty() && !with_bitmap.empty()) {
    plan.checkpoint_xml =
        checkpoint_xml(options.checkpoint, with_bitmap, without_bitmap);
    plan.traces.checkpoint = options.checkpoint;
  }
  if (pulled.empty()) {
    plan.is_checkpoint_apart = true;
    return plan;
  }
  plan.traces.socket = scratch;
  RETURN_IF_ERROR(check_socket_length(scratch));
  plan.backup_xml = backup_xml(scratch, pulled, others);
  return plan;
}

}  // namespace sealift::vm
