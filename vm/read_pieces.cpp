#include "vm/read_pieces.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "base/aligned_buffer.h"
#include "base/background.h"
#include "base/byte_count.h"

namespace sealift::vm {

namespace {

// A request of this size keeps an NBD server busy; small pieces are read several at a
// time and handed on one by one.
constexpr std::uint64_t kRequestSize = base::kMiB;
// How far ahead one question for extents looks: their answer has to be held.
constexpr std::uint64_t kLookAhead = base::kGiB;

struct Run {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// Runs of pieces that hold data, handed out in order. Threads: any; one at a time asks
// the disk for extents, with the reader it came with.
class Runs {
 public:
  Runs(std::uint64_t size, std::uint32_t piece_size, const Progress& progress)
      : size_(size), piece_size_(piece_size), progress_(progress) {}

  // The next run to read; none when there is nothing left or a thread has failed.
  base::Result<std::optional<Run>> take(DiskReader& reader) {
    const std::scoped_lock lock(mutex_);
    if (is_ended_) return std::optional<Run>();
    while (next_ == end_of_data_ && listed_ < size_)
      RETURN_IF_ERROR(look_ahead(reader));
    if (next_ == end_of_data_) return std::optional<Run>();
    const std::uint64_t limit = std::max<std::uint64_t>(kRequestSize, piece_size_);
    const Run run{next_, std::min(end_of_data_, next_ + limit)};
    next_ = run.end;
    under_way_.insert(run.begin);
    return std::optional(run);
  }

  base::Status give_back(const Run& run) {
    const std::scoped_lock lock(mutex_);
    under_way_.erase(run.begin);
    return report();
  }

  // After the last run: the disk may end in a hole.
  base::Status report_end() {
    const std::scoped_lock lock(mutex_);
    return report();
  }

  void end(base::Error error) {
    const std::scoped_lock lock(mutex_);
    is_ended_ = true;
    if (!error_) error_ = std::move(error);
  }

  std::optional<base::Error> take_error() { return std::move(error_); }

 private:
  // Finds the next stretch of data from listed_ on, grown to whole pieces: data that
  // begins in the last piece of a stretch belongs to it already.
  base::Status look_ahead(DiskReader& reader) {
    if (pending_.empty()) {
      ASSIGN_OR_RETURN(pending_,
                       reader.extents(listed_, std::min(kLookAhead, size_ - listed_)));
      std::ranges::reverse(pending_);
    }
    const Extent extent = pending_.back();
    pending_.pop_back();
    const std::uint64_t begin = listed_;
    listed_ += std::min(extent.size, size_ - listed_);
    if (extent.is_hole) return base::Done{};
    next_ = std::max(end_of_data_, begin / piece_size_ * piece_size_);
    end_of_data_ = std::max(next_, std::min(size_, (listed_ + piece_size_ - 1) /
                                                       piece_size_ * piece_size_));
    return base::Done{};
  }

  base::Status report() {
    if (!progress_ || is_ended_) return base::Done{};
    const std::uint64_t reading = next_ == end_of_data_ ? listed_ : next_;
    const std::uint64_t below =
        under_way_.empty() ? reading : std::min(*under_way_.begin(), reading);
    if (below <= reported_) return base::Done{};
    reported_ = below;
    return progress_(below);
  }

  const std::uint64_t size_;
  const std::uint32_t piece_size_;
  const Progress& progress_;
  std::mutex mutex_;  // Guards all that follows; progress_ is called under it.
  std::vector<Extent> pending_;  // Extents from listed_ on, the first one last.
  std::uint64_t listed_ = 0;     // Up to here extents were looked at.
  std::uint64_t next_ = 0;       // From here to end_of_data_ is to be read.
  std::uint64_t end_of_data_ = 0;
  std::uint64_t reported_ = 0;
  std::set<std::uint64_t> under_way_;
  bool is_ended_ = false;
  std::optional<base::Error> error_;
};

base::Status hand_on(const Run& run, base::ByteView bytes, std::uint32_t piece_size,
                     const PieceSink& sink) {
  for (std::uint64_t offset = run.begin; offset < run.end; offset += piece_size) {
    const std::uint64_t size = std::min<std::uint64_t>(piece_size, run.end - offset);
    RETURN_IF_ERROR(sink(offset, bytes.subspan(offset - run.begin, size)));
  }
  return base::Done{};
}

base::Status work(DiskReader& reader, Runs& runs, std::uint32_t piece_size,
                  const PieceSink& sink, const std::stop_token& stop) {
  const base::AlignedBuffer buffer(std::max<std::uint64_t>(kRequestSize, piece_size));
  while (true) {
    if (stop.stop_requested()) {
      return base::Error(base::ErrorCode::kInterrupted, "the reading was stopped");
    }
    ASSIGN_OR_RETURN(const std::optional<Run> run, runs.take(reader));
    if (!run) return base::Done{};
    const auto bytes = buffer.bytes().first(run->end - run->begin);
    RETURN_IF_ERROR(reader.read(run->begin, bytes));
    RETURN_IF_ERROR(hand_on(*run, bytes, piece_size, sink));
    RETURN_IF_ERROR(runs.give_back(*run));
  }
}

}  // namespace

base::Status read_pieces(const std::vector<DiskReader*>& readers, std::uint64_t size,
                         std::uint32_t piece_size, const PieceSink& sink,
                         const Progress& progress, const std::stop_token& stop) {
  Runs runs(size, piece_size, progress);
  {
    std::vector<std::jthread> threads;
    threads.reserve(readers.size());
    for (DiskReader* reader : readers) {
      threads.emplace_back([&, reader] {
        base::give_way_to_others();
        if (auto status = work(*reader, runs, piece_size, sink, stop); !status) {
          runs.end(std::move(status).error());
        }
      });
    }
  }
  if (auto error = runs.take_error()) return std::move(*error);
  return runs.report_end();
}

}  // namespace sealift::vm
