// Some pieces of a disk that an NBD server exports beside a dirty bitmap.
#pragma once

#include <vector>

#include "vm/nbd_reader.h"

namespace sealift::vm {

/// As TrackedDisk::read_changed(), with a thread for each of the first `jobs` of
/// `readers`. changes  Opened with the bitmap; may be one of them.
base::Status read_changed_pieces(const std::vector<NbdReader*>& readers,
                                 NbdReader& changes, unsigned jobs, std::uint64_t size,
                                 std::uint32_t piece_size, const PieceSink& sink,
                                 const Progress& progress, const std::stop_token& stop);

/// As TrackedDisk::read_picked(), of a disk of `size` bytes.
base::Status read_picked_pieces(const std::vector<NbdReader*>& readers, unsigned jobs,
                                std::uint64_t size, std::uint32_t piece_size,
                                const std::vector<std::uint64_t>& numbers,
                                const PieceSink& sink, const std::stop_token& stop);

/// Answers TrackedDisk::is_unchanged(): asks for a GiB at a time, so that questions in
/// order, up or down, cost little. A piece lies in one GiB. Threads: one at a time.
class ChangeWindow {
 public:
  /// changes  Opened with the bitmap; outlives this.
  explicit ChangeWindow(NbdReader& changes) : changes_(&changes) {}

  base::Result<bool> is_unchanged(std::uint64_t offset, std::uint64_t size);

 private:
  struct Run {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  base::Status look_from(std::uint64_t offset);

  NbdReader* changes_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;     // From begin_ to here it is known what changed:
  std::vector<Run> changed_;  // these, in order.
};

}  // namespace sealift::vm
