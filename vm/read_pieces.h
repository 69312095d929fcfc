// Reading what a disk holds, piece by piece, with several readers at once.
#pragma once

#include <memory>
#include <vector>

#include "vm/disk_source.h"

namespace sealift::vm {

/// A run of bytes that holds data, or is a hole that reads as zeros.
struct Extent {
  std::uint64_t size = 0;  ///< Bytes, 1 or more.
  bool is_hole = false;
};

/// One way to a disk's content, for one thread at a time.
class DiskReader {
 public:
  virtual ~DiskReader() = default;

  /// The extents that follow each other from `offset`; at least one, together at most
  /// `size` bytes; perhaps fewer, then the caller asks again where they end.
  virtual base::Result<std::vector<Extent>> extents(std::uint64_t offset,
                                                    std::uint64_t size) = 0;

  /// Fills `bytes` from `offset`, all inside the disk.
  virtual base::Status read(std::uint64_t offset, std::span<std::byte> bytes) = 0;
};

/// As DiskSource::read_allocated(), with a thread for each of `readers`, which gives
/// way to the host's other work. When it returns, no reader has a reply under way.
base::Status read_pieces(const std::vector<DiskReader*>& readers, std::uint64_t size,
                         std::uint32_t piece_size, const PieceSink& sink,
                         const Progress& progress, const std::stop_token& stop);

}  // namespace sealift::vm
