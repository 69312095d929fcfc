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

/// As TrackedDisk::is_unchanged(). changes  As above.
base::Result<bool> is_unchanged(NbdReader& changes, std::uint64_t offset,
                                std::uint64_t size);

}  // namespace sealift::vm
