// How a running VM will be captured: everything that can be decided before it stops.
#pragma once

#include "vm/backup_xml.h"
#include "vm/capture.h"
#include "vm/capture_traces.h"

namespace sealift::vm {

enum class Way {
  kPull,     ///< From QEMU's NBD server.
  kOverlay,  ///< From its image, frozen under an overlay.
  kFile,     ///< From its image, which the VM only reads.
};

struct CapturePlan {
  CaptureTraces traces;  ///< Of a capture that has done everything.
  std::vector<std::pair<Disk, Way>> disks;
  std::set<std::string> tracked;  ///< Targets whose changes are asked for.
  std::string backup_xml;         ///< Empty: no disk is pulled.
  std::string checkpoint_xml;     ///< Empty: none.
  /// The checkpoint has disks that no backup job reads: it is made by itself, first.
  bool is_checkpoint_apart = false;
  std::vector<std::string> targets;  ///< Of all disks and drives.
};

/// `folder`  The VM's own, where its marks and, unless options say otherwise, socket
/// and scratch files go.
/// errors  kRefused: names the disk that cannot be read while the VM runs.  kIo.
base::Result<CapturePlan> plan_capture(const Domain& domain, const VmDescription& vm,
                                       const CaptureOptions& options,
                                       const std::filesystem::path& folder);

}  // namespace sealift::vm
