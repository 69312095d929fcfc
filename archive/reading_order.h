// The chunks of a component in the order in which they lie, not in which they are
// numbered: storage is read forwards, a span at a time.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "archive/page_walk.h"
#include "archive/segment_checks.h"
#include "archive/snapshot_reader.h"

namespace sealift::archive {

/// A chunk that is wanted, and where it is said to lie.
struct PlacedChunk {
  ChunkReference reference;
  std::uint64_t offset = 0;
  std::uint32_t stored_size = 0;  ///< 0: nobody says where.
};

/// Chunks that lie close together in one volume, by number.
struct ReadingSpan {
  std::string volume;  ///< Empty: nobody says where they lie.
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  CheckedSegment* segment = nullptr;  ///< They all lie in; to be checked. Or null.
  std::vector<PlacedChunk> chunks;
};

/// Looks ahead over a window of some thousand chunks. One thread at a time.
class ReadingOrder {
 public:
  /// checks  May be null. What is given outlives this.
  ReadingOrder(PageWalk walk, const ChunkLocator& locator, SegmentChecks* checks)
      : walk_(std::move(walk)), locator_(&locator), checks_(checks) {}

  /// The next span; none after the last chunk. errors  as PageWalk, ChunkLocator.
  base::Result<std::optional<ReadingSpan>> next();

 private:
  base::Status look_ahead();
  CheckedSegment* unchecked(const PlacedChunk& chunk, const std::string& volume) const;
  void add(const std::string& volume, const PlacedChunk& chunk);

  PageWalk walk_;
  const ChunkLocator* locator_;
  SegmentChecks* checks_;
  std::deque<ReadingSpan> spans_;
};

}  // namespace sealift::archive
