// The content of a disk at the instant of a snapshot.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::vm {

/// Gets one piece of a disk: `bytes` from `offset`, both multiples of the piece size
/// but for the disk's tail. Called from several threads at once; each offset once.
using PieceSink =
    std::function<base::Status(std::uint64_t offset, base::ByteView bytes)>;

/// Told, from one thread at a time, that every piece below `offset` was given to the
/// sink or is a hole.
using Progress = std::function<base::Status(std::uint64_t offset)>;

/// A disk of which it is known what changed since an earlier instant.
class TrackedDisk {
 public:
  virtual ~TrackedDisk() = default;

  /// As DiskSource::read_allocated(), but every piece in which something changed, and
  /// no other; one that is zeros now comes as zeros.
  virtual base::Status read_changed(std::uint32_t piece_size, unsigned jobs,
                                    const PieceSink& sink, const Progress& progress,
                                    std::stop_token stop) = 0;

  /// Whether nothing in the `size` bytes from `offset` is said to have changed.
  /// One thread at a time. errors  as DiskSource::read_allocated().
  virtual base::Result<bool> is_unchanged(std::uint64_t offset, std::uint64_t size) = 0;

  /// As read_changed(), but the pieces with these numbers, which ascend, changed or
  /// not.
  virtual base::Status read_picked(const std::vector<std::uint64_t>& numbers,
                                   std::uint32_t piece_size, unsigned jobs,
                                   const PieceSink& sink, std::stop_token stop) = 0;
};

/// Ownership  Belongs to its Capture, which outlives it.
class DiskSource {
 public:
  virtual ~DiskSource() = default;
  virtual const std::string& target() const = 0;  ///< "vda".
  virtual std::uint64_t size() const = 0;         ///< Bytes.

  /// Gives every piece that is allocated (holds data) to `sink`, `jobs` at a time.
  /// A piece that is partly a hole comes whole, zeros included. No reply of an NBD
  /// server ever waits for `sink`: each thread has read its reply before it calls.
  /// errors  kRefused: what it lies on cannot be read; names disk and offset.  kIo: the
  ///         way to it is broken.  kInterrupted: `stop` was asked.  What `sink`
  ///         or `progress` returns.
  virtual base::Status read_allocated(std::uint32_t piece_size, unsigned jobs,
                                      const PieceSink& sink, const Progress& progress,
                                      std::stop_token stop) = 0;

  /// Null: nothing is known of what changed. Belongs to this.
  virtual TrackedDisk* changes() { return nullptr; }
};

}  // namespace sealift::vm
