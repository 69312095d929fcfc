// Checking volumes against their signed sums while their frames are read: each segment
// is read once, and its frames are taken from the very buffer that was hashed.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "archive/volume.h"
#include "archive/volume_segments.h"

namespace sealift::archive {

/// A segment of one of the volumes. Belongs to its SegmentChecks.
struct CheckedSegment {
  CheckedSegment(const std::string& name, Segment place)
      : volume(name), segment(std::move(place)) {}

  const std::string& volume;
  Segment segment;
  std::atomic<bool> is_taken = false;  ///< Somebody checks it, or has.
};

/// Threads: add() from one, before all others; the rest from any.
class SegmentChecks {
 public:
  /// What is given outlives this.
  SegmentChecks(const ObjectReader& store, const Trust& trust)
      : store_(&store), trust_(&trust) {}

  /// Checks everything of the volume but the content of its segments.
  /// errors  kCorrupt; places member, volume.  What the store says.
  base::Status add(const Volume& volume);

  /// The one around `offset`; null when it is in none of the volumes added.
  CheckedSegment* find(const std::string& volume, std::uint64_t offset);

  /// Whether it is the caller's to read(): true for the first who asks.
  static bool take(CheckedSegment& segment) { return !segment.is_taken.exchange(true); }

  /// Its content, inside `buffer`, as it was signed. errors  as add().
  base::Result<base::ByteView> read(const CheckedSegment& segment,
                                    base::Bytes& buffer) const;

  /// Every segment that nobody has taken, `jobs` at a time: then every byte of every
  /// volume is what was signed, if no read() failed. `told` hears the bytes checked so
  /// far, from one thread at a time; may be null.
  /// errors  as add(); kInterrupted.
  base::Status check_rest(unsigned jobs,
                          const std::function<void(std::uint64_t bytes)>& told,
                          const std::stop_token& stop);

  std::size_t volumes() const { return segments_.size(); }
  std::uint64_t bytes() const { return bytes_; }  ///< Of all volumes.

 private:
  const ObjectReader* store_;
  const Trust* trust_;
  /// By the volume's name; a volume's in order.
  std::map<std::string, std::deque<CheckedSegment>> segments_;
  std::uint64_t bytes_ = 0;
};

}  // namespace sealift::archive
