// What the next backup of a VM would read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "archive/page.h"
#include "backup/backup.h"

namespace sealift::backup {

struct DiskEstimate {
  std::string target;       ///< "vda".
  std::uint64_t bytes = 0;  ///< Of changes: what QEMU noted. Else what the image takes.
  /// No more is read, with the sample: whole chunks are, and QEMU notes less of each.
  std::uint64_t at_most = 0;
  std::uint64_t sample = 0;  ///< Of that: what is called unchanged and read all the
                             ///< same, at most. 0 of a disk that is read whole.
  bool is_changes = false;   ///< Only what changed would be read.
  std::string reason;  ///< "what changed since snapshot 2a7f91c0", or why all of it.
};

struct VmEstimate {
  std::string vm;
  std::optional<base::Error> error;  ///< Then nothing is known of this VM.
  std::vector<DiskEstimate> disks;
};

/// Bytes of whole chunks that hold `noted` bytes, noted in pieces of `bit` bytes each:
/// at most, as every piece may lie in a chunk of its own.
std::uint64_t most_of_changes(std::uint64_t noted, std::uint64_t bit,
                              const archive::TreeShape& shape);

/// Touches no VM and writes nothing to the repository; the catalog is refreshed.
/// What the guest writes until the backup comes on top, and where the sample is not
/// what it was, or a chain breaks, all of the disk is read.
/// errors  As run_backup().
base::Result<std::vector<VmEstimate>> estimate_backup(BackupEnvironment& environment,
                                                      const BackupRequest& request);

}  // namespace sealift::backup
