// Which files of a Hyper-V VM's disks a new VM is made around.
#pragma once

#include <string>
#include <vector>

#include "archive/manifest.h"

namespace sealift::restore {

/// Paths below the folder of a restore.
struct DriveDisks {
  std::vector<std::string> drives;   ///< In the VM's drives, in the order of those.
  std::vector<std::string> parents;  ///< What those hang on, down to the last.
};

/// Of a snapshot of a Hyper-V VM. Files that only a checkpoint needs are neither.
DriveDisks drive_disks(const archive::Manifest& manifest);

}  // namespace sealift::restore
