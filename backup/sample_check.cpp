#include "backup/sample_check.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <vector>

#include "keyvault/secret.h"

namespace sealift::backup {

namespace {

constexpr std::uint64_t kLeastBlocks = 64;
constexpr std::uint64_t kOneIn = 1000;
constexpr int kMostDraws = 8;

base::Result<std::mt19937_64> seeded() {
  std::array<std::byte, 8> seed{};
  RETURN_IF_ERROR(keyvault::fill_random(seed));
  return std::mt19937_64(base::read_be64(seed, 0));
}

std::uint64_t wanted_of(const archive::TreeShape& shape) {
  return std::max(kLeastBlocks, (shape.chunks() + kOneIn - 1) / kOneIn);
}

// Numbers of chunks, in order: pages are then opened once.
std::vector<std::uint64_t> draw(std::uint64_t chunks, std::uint64_t wanted,
                                std::mt19937_64& random) {
  std::vector<std::uint64_t> numbers;
  if (chunks <= wanted) {
    for (std::uint64_t number = 0; number < chunks; ++number) numbers.push_back(number);
    return numbers;
  }
  std::uniform_int_distribution<std::uint64_t> any(0, chunks - 1);
  std::set<std::uint64_t> drawn;
  while (drawn.size() < wanted) drawn.insert(any(random));
  numbers.assign(drawn.begin(), drawn.end());
  return numbers;
}

// Chunks that are called unchanged, by their numbers.
class Picked {
 public:
  Picked(std::uint64_t wanted, std::mt19937_64& random)
      : wanted_(wanted), random_(random) {}

  void add(std::uint64_t number, const archive::ChunkId& id) {
    if (id.is_zero()) {
      holes_.insert(number);
    } else {
      data_.emplace(number, id);
    }
  }

  bool has_data() const { return !data_.empty(); }

  bool is_enough() const {
    return data_.size() >= wanted_ / 2 && data_.size() + holes_.size() >= wanted_;
  }

  // As many as are wanted, half of them with data if there are so many, in order.
  std::vector<std::uint64_t> numbers() const {
    const std::uint64_t holes = std::min<std::uint64_t>(wanted_, holes_.size());
    const std::uint64_t data =
        std::min<std::uint64_t>(data_.size(), std::max(wanted_ / 2, wanted_ - holes));
    std::vector<std::uint64_t> with_data;
    for (const auto& [number, id] : data_) with_data.push_back(number);
    std::set<std::uint64_t> found;
    const auto draw_from = [&](const auto& numbers, std::uint64_t count) {
      std::ranges::sample(numbers, std::inserter(found, found.end()),
                          static_cast<std::ptrdiff_t>(count), random_);
    };
    draw_from(with_data, data);
    draw_from(holes_, wanted_ - data);
    // The last one with data is among them whatever is drawn.
    if (!with_data.empty()) found.insert(with_data.back());
    return {found.begin(), found.end()};
  }

  // Zero: a hole.
  archive::ChunkId id_of(std::uint64_t number) const {
    const auto found = data_.find(number);
    return found == data_.end() ? archive::ChunkId() : found->second;
  }

 private:
  const std::uint64_t wanted_;
  std::mt19937_64& random_;
  std::map<std::uint64_t, archive::ChunkId> data_;
  std::set<std::uint64_t> holes_;
};

base::Error stopped() {
  return base::Error(base::ErrorCode::kInterrupted, "the reading was stopped");
}

class Sample {
 public:
  Sample(vm::TrackedDisk& disk, archive::TreeView& earlier,
         const archive::KnownChunks& known, Picked& picked)
      : disk_(disk), earlier_(earlier), known_(known), picked_(picked) {}

  const SampleReport& report() const { return report_; }

  base::Status pick(const std::vector<std::uint64_t>& numbers,
                    const std::stop_token& stop) {
    for (const std::uint64_t number : numbers) {
      if (report_.missing_at) break;
      if (stop.stop_requested()) return stopped();
      RETURN_IF_ERROR(pick_one(number));
    }
    return base::Done{};
  }

  // The last one with data. An image that was shrunk and grown again is zeros from
  // somewhere on, and nobody's change: if any of its data was lost, this was.
  base::Status pick_last(const std::stop_token& stop) {
    std::uint64_t below = earlier_.shape().chunks();
    while (!picked_.has_data() && !report_.missing_at) {
      ASSIGN_OR_RETURN(const std::optional<std::uint64_t> last,
                       earlier_.last_data(below));
      if (!last) break;
      RETURN_IF_ERROR(pick({*last}, stop));
      below = *last;
    }
    return base::Done{};
  }

  base::Status compare(unsigned jobs, const std::function<void(std::size_t)>& spent,
                       const std::stop_token& stop) {
    std::mutex mutex;  // Guards earlier_ and report_.
    const std::uint32_t chunk_size = earlier_.shape().chunk_size();
    const auto look = [&](std::uint64_t offset, base::ByteView bytes) -> base::Status {
      if (spent) spent(bytes.size());
      const archive::ChunkId id = picked_.id_of(offset / chunk_size);
      const std::scoped_lock lock(mutex);
      if (report_.differs_at) return base::Done{};
      ++report_.blocks;
      if (!earlier_.matches(id, bytes)) report_.differs_at = offset;
      return base::Done{};
    };
    return disk_.read_picked(picked_.numbers(), chunk_size, jobs, look, stop);
  }

 private:
  base::Status pick_one(std::uint64_t number) {
    const archive::TreeShape& shape = earlier_.shape();
    const std::uint64_t offset = number * shape.chunk_size();
    ASSIGN_OR_RETURN(const bool is_unchanged,
                     disk_.is_unchanged(offset, shape.bytes_in(number)));
    if (!is_unchanged) return base::Done{};
    ASSIGN_OR_RETURN(const archive::ChunkId id, earlier_.id_at(number));
    picked_.add(number, id);
    if (id.is_zero()) return base::Done{};
    ASSIGN_OR_RETURN(const bool is_stored, known_.contains(id));
    if (!is_stored) report_.missing_at = offset;
    return base::Done{};
  }

  vm::TrackedDisk& disk_;
  archive::TreeView& earlier_;
  const archive::KnownChunks& known_;
  Picked& picked_;
  SampleReport report_;
};

}  // namespace

base::Result<SampleReport> check_sample(vm::TrackedDisk& disk,
                                        archive::TreeView& earlier,
                                        const archive::KnownChunks& known,
                                        unsigned jobs,
                                        const std::function<void(std::size_t)>& spent,
                                        const std::stop_token& stop) {
  const std::uint64_t chunks = earlier.shape().chunks();
  const std::uint64_t wanted = wanted_of(earlier.shape());
  ASSIGN_OR_RETURN(std::mt19937_64 random, seeded());
  Picked picked(wanted, random);
  Sample sample(disk, earlier, known, picked);
  RETURN_IF_ERROR(sample.pick_last(stop));
  const int draws = chunks <= wanted ? 1 : kMostDraws;
  for (int i = 0; i < draws && !picked.is_enough() && !sample.report().missing_at;
       ++i) {
    RETURN_IF_ERROR(sample.pick(draw(chunks, wanted, random), stop));
  }
  if (!sample.report().missing_at) RETURN_IF_ERROR(sample.compare(jobs, spent, stop));
  return sample.report();
}

std::uint64_t most_sampled(const archive::TreeShape& shape) {
  // The last one with data comes on top.
  return std::min(shape.chunks(), wanted_of(shape) + 1);
}

std::string words_of(const SampleReport& report) {
  if (report.blocks == 0) return "nothing is called unchanged";
  if (report.blocks == 1) return "1 block called unchanged is what it was";
  return std::to_string(report.blocks) + " blocks called unchanged are what they were";
}

}  // namespace sealift::backup
