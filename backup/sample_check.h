// Trust in change tracking, tried: some of what is called unchanged is read and
// compared.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>

#include "archive/tree_view.h"
#include "vm/disk_source.h"

namespace sealift::backup {

struct SampleReport {
  std::uint64_t blocks = 0;  ///< Chunks read, all of them called unchanged.
  /// Where the first lies that is not what the earlier snapshot holds.
  std::optional<std::uint64_t> differs_at;
};

/// Draws 64 chunks or one in a thousand, whichever is more (all of a small disk), reads
/// those that `disk` calls unchanged, and looks for them in `earlier`, a tree of the
/// same size. Draws once more where fewer than half held data.
/// errors  As TrackedDisk and TreeView; kInterrupted.
base::Result<SampleReport> check_sample(vm::TrackedDisk& disk,
                                        archive::TreeView& earlier,
                                        const std::stop_token& stop);

}  // namespace sealift::backup
