// What the next backup of a VM would read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backup/backup.h"

namespace sealift::backup {

struct DiskEstimate {
  std::string target;       ///< "vda".
  std::uint64_t bytes = 0;  ///< Of changes: what QEMU noted. Else what the image takes.
  bool is_changes = false;  ///< Only what changed would be read.
  std::string reason;  ///< "what changed since snapshot 2a7f91c0", or why all of it.
};

struct VmEstimate {
  std::string vm;
  std::optional<base::Error> error;  ///< Then nothing is known of this VM.
  std::vector<DiskEstimate> disks;
};

/// Touches no VM and writes nothing to the repository; the catalog is refreshed.
/// Without the sample of unchanged blocks that a backup reads too. errors  As
/// run_backup().
base::Result<std::vector<VmEstimate>> estimate_backup(BackupEnvironment& environment,
                                                      const BackupRequest& request);

}  // namespace sealift::backup
