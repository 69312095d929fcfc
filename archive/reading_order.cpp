#include "archive/reading_order.h"

#include <algorithm>
#include <map>

#include "archive/frame_source.h"
#include "base/byte_count.h"

namespace sealift::archive {

namespace {

// 2 GiB of a disk of 256 KiB chunks: what two threads wrote next to each other lies
// well inside, and looking it up takes a few milliseconds.
constexpr std::size_t kWindow = 8192;
// A span that is not a segment: enough for storage to read at full speed, and little
// enough to hold one a thread.
constexpr std::uint64_t kMaxSpan = 4 * base::kMiB;
// What is cheaper to read and throw away than to jump over.
constexpr std::uint64_t kMaxGap = 64 * base::kKiB;

bool joins(const ReadingSpan& span, const std::string& volume,
           const PlacedChunk& chunk) {
  if (span.volume != volume || volume.empty()) return false;
  const std::uint64_t end = chunk.offset + chunk.stored_size;
  if (span.segment != nullptr) return end <= span.segment->segment.content_end();
  return chunk.offset <= span.end + kMaxGap && end <= span.begin + kMaxSpan;
}

}  // namespace

base::Result<std::optional<ReadingSpan>> ReadingOrder::next() {
  if (spans_.empty()) RETURN_IF_ERROR(look_ahead());
  if (spans_.empty()) return std::optional<ReadingSpan>();
  ReadingSpan span = std::move(spans_.front());
  spans_.pop_front();
  std::ranges::sort(span.chunks, {},
                    [](const PlacedChunk& chunk) { return chunk.reference.number; });
  return std::optional(std::move(span));
}

base::Status ReadingOrder::look_ahead() {
  std::map<std::string, std::vector<PlacedChunk>> window;
  for (std::size_t i = 0; i < kWindow; ++i) {
    ASSIGN_OR_RETURN(const std::optional<ChunkReference> reference, walk_.next());
    if (!reference) break;
    ASSIGN_OR_RETURN(const std::vector<ChunkLocation> places,
                     locator_->locate(reference->id));
    const auto place = std::ranges::find_if(places, can_be_place);
    if (place == places.end()) {
      window[""].push_back({*reference, 0, 0});
    } else {
      window[place->volume].push_back({*reference, place->offset, place->stored_size});
    }
  }
  for (auto& [volume, chunks] : window) {
    std::ranges::stable_sort(chunks, {}, &PlacedChunk::offset);
    for (const PlacedChunk& chunk : chunks) add(volume, chunk);
  }
  return base::Done{};
}

// Null: nobody has to check it, and no more of it need be read than is wanted.
CheckedSegment* ReadingOrder::unchecked(const PlacedChunk& chunk,
                                        const std::string& volume) const {
  if (checks_ == nullptr) return nullptr;
  CheckedSegment* const segment = checks_->find(volume, chunk.offset);
  return segment != nullptr && !segment->is_taken ? segment : nullptr;
}

void ReadingOrder::add(const std::string& volume, const PlacedChunk& chunk) {
  if (spans_.empty() || !joins(spans_.back(), volume, chunk)) {
    spans_.push_back(
        {volume, chunk.offset, chunk.offset, unchecked(chunk, volume), {}});
  }
  ReadingSpan& span = spans_.back();
  span.end = std::max(span.end, chunk.offset + chunk.stored_size);
  span.chunks.push_back(chunk);
}

}  // namespace sealift::archive
