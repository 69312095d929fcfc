// The replay log of Hyper-V's key-value files. docs/format/hyperv-storage.md,
// section 2.
#pragma once

#include <memory>

#include "base/byte_source.h"

namespace sealift::vm {

/// Where the header of a file says that its log lies; in bytes.
struct ReplayLogPlace {
  std::uint64_t offset = 0;  ///< 0: there is none.
  std::uint64_t size = 0;
  std::uint64_t header_size = 0;  ///< Of its beginning, which its entries are part of.
};

/// How many changes the log has that are still to be made in the file.
/// errors  kCorrupt: rule H3.  kIo.
base::Result<std::uint32_t> count_waiting_changes(const base::ByteSource& file,
                                                  const ReplayLogPlace& log);

/// `file` as it is once they are made. They stay in memory, at most 64 MiB: nothing is
/// written to `file`, which outlives what is returned.
/// errors  kCorrupt: rules H3, H10 to H13.  kIo.
base::Result<std::unique_ptr<base::ByteSource>> with_waiting_changes(
    const base::ByteSource& file, const ReplayLogPlace& log);

}  // namespace sealift::vm
