#include "archive/chunk_reading.h"

#include <algorithm>
#include <mutex>
#include <thread>

#include "base/aligned_buffer.h"
#include "base/byte_count.h"

namespace sealift::archive {

namespace {

// Chunks that follow one another are given to the sink together, up to this.
constexpr std::size_t kGatherSize = base::kMiB;

/// The spans and the first failure, for several threads.
class SharedOrder {
 public:
  explicit SharedOrder(ReadingOrder order) : order_(std::move(order)) {}

  /// None after the last span, or once anything failed.
  std::optional<ReadingSpan> next() {
    const std::lock_guard guard(guard_);
    if (failure_) return std::nullopt;
    auto span = order_.next();
    if (span) return std::move(span).value();
    failure_ = std::move(span).error();
    return std::nullopt;
  }

  void fail(base::Error error) {
    const std::lock_guard guard(guard_);
    if (!failure_) failure_ = std::move(error);
  }

  base::Status status() const {
    const std::lock_guard guard(guard_);
    if (failure_) return *failure_;
    return base::Done{};
  }

 private:
  mutable std::mutex guard_;
  ReadingOrder order_;
  std::optional<base::Error> failure_;
};

/// Opened chunks on their way to the sink.
class Gathering {
 public:
  Gathering(const ChunkSink& sink, std::size_t chunk_size)
      : sink_(&sink), memory_(std::max(kGatherSize, chunk_size)) {}

  /// Where a chunk of the component is to be opened; what does not go together with it
  /// is given away first.
  base::Result<std::span<std::byte>> place_for(std::uint64_t offset, std::size_t size) {
    if (offset != begin_ + filled_ || filled_ + size > memory_.bytes().size()) {
      RETURN_IF_ERROR(give());
      begin_ = offset;
    }
    return memory_.bytes().subspan(filled_, size);
  }

  void fill(std::size_t size) { filled_ += size; }

  base::Status give() {
    const std::size_t size = std::exchange(filled_, 0);
    if (size == 0) return base::Done{};
    return (*sink_)(begin_, memory_.bytes().first(size));
  }

 private:
  const ChunkSink* sink_;
  base::AlignedBuffer memory_;
  std::uint64_t begin_ = 0;
  std::size_t filled_ = 0;
};

/// One thread's part.
class SpanReader {
 public:
  SpanReader(const ChunkReading& reading, OpeningState state)
      : reading_(reading),
        state_(std::move(state)),
        gathering_(reading.sink, reading.shape.chunk_size()) {}

  base::Status read(const ReadingSpan& span) {
    ASSIGN_OR_RETURN(const Loaded loaded, load(span));
    for (const PlacedChunk& chunk : span.chunks) {
      if (reading_.stop.stop_requested()) {
        return base::Error(base::ErrorCode::kInterrupted, "the reading was stopped");
      }
      RETURN_IF_ERROR(open(chunk, loaded.frame_of(chunk), span.volume));
    }
    return gathering_.give();
  }

 private:
  struct Loaded {
    base::ByteView bytes;
    std::uint64_t begin = 0;

    /// Empty: it is not all there.
    base::ByteView frame_of(const PlacedChunk& chunk) const {
      if (chunk.offset < begin || chunk.offset - begin > bytes.size() ||
          chunk.stored_size > bytes.size() - (chunk.offset - begin)) {
        return {};
      }
      return bytes.subspan(chunk.offset - begin, chunk.stored_size);
    }
  };

  base::Result<Loaded> load(const ReadingSpan& span) {
    if (span.segment != nullptr && SegmentChecks::take(*span.segment)) {
      ASSIGN_OR_RETURN(const base::ByteView content,
                       reading_.checks->read(*span.segment, buffer_));
      return Loaded{content, span.segment->segment.content_begin()};
    }
    if (span.volume.empty()) return Loaded{};
    buffer_.resize(span.end - span.begin);
    // What cannot be read here is looked for elsewhere, chunk by chunk.
    if (!reading_.store.read(span.volume, span.begin, buffer_)) return Loaded{};
    return Loaded{buffer_, span.begin};
  }

  base::Status open(const PlacedChunk& chunk, base::ByteView frame,
                    const std::string& volume) {
    const std::uint64_t number = chunk.reference.number;
    const std::uint64_t offset = number * reading_.shape.chunk_size();
    const std::uint32_t size = reading_.shape.bytes_in(number);
    ASSIGN_OR_RETURN(const std::span<std::byte> place,
                     gathering_.place_for(offset, size));
    const WantedChunk wanted{FrameKind::kData, reading_.component.scope,
                             chunk.reference.id, size};
    if (frame.empty() ||
        !reading_.source.open_read(wanted, frame, volume, state_, place)) {
      auto plain = reading_.source.open(wanted, state_);
      if (!plain) {
        return std::move(plain)
            .error()
            .at("offset", std::to_string(offset))
            .at(reading_.component.kind, reading_.component.name);
      }
      std::ranges::copy(plain.value(), place.begin());
    }
    gathering_.fill(size);
    return base::Done{};
  }

  const ChunkReading& reading_;
  OpeningState state_;
  Gathering gathering_;
  base::Bytes buffer_;
};

base::Status read_spans(const ChunkReading& reading, SharedOrder& order) {
  ASSIGN_OR_RETURN(OpeningState state, reading.make_state());
  SpanReader reader(reading, std::move(state));
  while (const auto span = order.next()) RETURN_IF_ERROR(reader.read(*span));
  return base::Done{};
}

}  // namespace

base::Status read_chunks(const ChunkReading& reading, ReadingOrder order,
                         unsigned jobs) {
  SharedOrder shared(std::move(order));
  const auto work = [&] {
    auto done = read_spans(reading, shared);
    if (!done) shared.fail(std::move(done).error());
  };
  {
    std::vector<std::jthread> helpers;
    for (unsigned i = 1; i < jobs; ++i) helpers.emplace_back(work);
    work();
  }
  return shared.status();
}

}  // namespace sealift::archive
