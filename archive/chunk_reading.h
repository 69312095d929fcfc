// Reading all chunks of a component: several threads, each a span of storage at a time.
#pragma once

#include "archive/frame_source.h"
#include "archive/reading_order.h"

namespace sealift::archive {

/// What is read, and how. What is given outlives the call.
struct ChunkReading {
  const Component& component;
  const TreeShape& shape;
  const ObjectReader& store;
  const FrameSource& source;
  SegmentChecks* checks;  ///< May be null.
  std::function<base::Result<OpeningState>()> make_state;
  const ChunkSink& sink;
  std::stop_token stop;
};

/// Every chunk of `order`, `jobs` threads.
/// errors  as SnapshotReader::read().
base::Status read_chunks(const ChunkReading& reading, ReadingOrder order,
                         unsigned jobs);

}  // namespace sealift::archive
