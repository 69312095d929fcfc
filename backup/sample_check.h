// Trust in change tracking, tried: some of what is called unchanged is read and
// compared.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "archive/archive_writer.h"
#include "archive/tree_view.h"
#include "vm/disk_source.h"

namespace sealift::backup {

struct SampleReport {
  std::uint64_t blocks = 0;  ///< Chunks read, all of them called unchanged.
  /// Where the first lies that is not what the earlier snapshot holds.
  std::optional<std::uint64_t> differs_at;
  /// Where the first lies that the earlier snapshot holds and nobody stores any more.
  std::optional<std::uint64_t> missing_at;
};

/// Reads chunks that `disk` calls unchanged, drawn at random, `jobs` at once, and looks
/// for them in `earlier`, a tree of the same size: 64 or one in a thousand, whichever
/// is more, half of them with data if eight times as many draws find so many. Of a
/// small disk all are compared, of any disk the last that holds data.
///
/// spent  Told what was read, as it is read, from several threads at once.
/// errors  As TrackedDisk, TreeView and KnownChunks; kInterrupted.
base::Result<SampleReport> check_sample(vm::TrackedDisk& disk,
                                        archive::TreeView& earlier,
                                        const archive::KnownChunks& known,
                                        unsigned jobs,
                                        const std::function<void(std::size_t)>& spent,
                                        const std::stop_token& stop);

/// How many chunks check_sample() reads at most.
std::uint64_t most_sampled(const archive::TreeShape& shape);

/// "64 blocks called unchanged are what they were": of a check in which nothing
/// differed.
std::string words_of(const SampleReport& report);

}  // namespace sealift::backup
