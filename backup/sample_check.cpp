#include "backup/sample_check.h"

#include <algorithm>
#include <array>
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

// Numbers of chunks, in order: pages are then opened once.
base::Result<std::vector<std::uint64_t>> draw(std::uint64_t chunks,
                                              std::uint64_t wanted) {
  std::vector<std::uint64_t> numbers;
  if (chunks <= wanted) {
    for (std::uint64_t number = 0; number < chunks; ++number) numbers.push_back(number);
    return numbers;
  }
  ASSIGN_OR_RETURN(std::mt19937_64 random, seeded());
  std::uniform_int_distribution<std::uint64_t> any(0, chunks - 1);
  std::set<std::uint64_t> drawn;
  while (drawn.size() < wanted) drawn.insert(any(random));
  numbers.assign(drawn.begin(), drawn.end());
  return numbers;
}

class Sample {
 public:
  Sample(vm::TrackedDisk& disk, archive::TreeView& earlier,
         const archive::KnownChunks& known,
         const std::function<void(std::size_t)>& spent)
      : disk_(disk),
        earlier_(earlier),
        known_(known),
        spent_(spent),
        buffer_(earlier.shape().chunk_size()) {}

  const SampleReport& report() const { return report_; }
  std::uint64_t blocks_with_data() const { return blocks_with_data_; }
  bool is_over() const { return report_.differs_at || report_.missing_at; }

  base::Status check(const std::vector<std::uint64_t>& numbers,
                     const std::stop_token& stop) {
    for (const std::uint64_t number : numbers) {
      if (is_over()) break;
      if (stop.stop_requested()) {
        return base::Error(base::ErrorCode::kInterrupted, "the operator stopped it");
      }
      RETURN_IF_ERROR(check_one(number));
    }
    return base::Done{};
  }

 private:
  base::Status check_one(std::uint64_t number) {
    const archive::TreeShape& shape = earlier_.shape();
    const std::uint64_t offset = number * shape.chunk_size();
    const auto bytes = std::span(buffer_).first(shape.bytes_in(number));
    ASSIGN_OR_RETURN(const bool is_unchanged, disk_.is_unchanged(offset, bytes.size()));
    if (!is_unchanged) return base::Done{};
    ASSIGN_OR_RETURN(const archive::ChunkId id, earlier_.id_at(number));
    if (!id.is_zero()) {
      ASSIGN_OR_RETURN(const bool is_stored, known_.contains(id));
      if (!is_stored) {
        report_.missing_at = offset;
        return base::Done{};
      }
    }
    RETURN_IF_ERROR(disk_.read(offset, bytes));
    if (spent_) spent_(bytes.size());
    ASSIGN_OR_RETURN(const bool is_as_before, earlier_.holds(number, bytes));
    ++report_.blocks;
    if (!id.is_zero()) ++blocks_with_data_;
    if (!is_as_before) report_.differs_at = offset;
    return base::Done{};
  }

  vm::TrackedDisk& disk_;
  archive::TreeView& earlier_;
  const archive::KnownChunks& known_;
  const std::function<void(std::size_t)>& spent_;
  base::Bytes buffer_;
  SampleReport report_;
  std::uint64_t blocks_with_data_ = 0;
};

}  // namespace

base::Result<SampleReport> check_sample(vm::TrackedDisk& disk,
                                        archive::TreeView& earlier,
                                        const archive::KnownChunks& known,
                                        const std::function<void(std::size_t)>& spent,
                                        const std::stop_token& stop) {
  const std::uint64_t chunks = earlier.shape().chunks();
  const std::uint64_t wanted = std::max(kLeastBlocks, (chunks + kOneIn - 1) / kOneIn);
  Sample sample(disk, earlier, known, spent);
  // The end of an image that was shrunk and grown again is zeros, and nobody's change.
  ASSIGN_OR_RETURN(const std::optional<std::uint64_t> last, earlier.last_data());
  if (last) RETURN_IF_ERROR(sample.check({*last}, stop));
  const int draws = chunks <= wanted ? 1 : kMostDraws;
  for (int i = 0; i < draws && !sample.is_over(); ++i) {
    if (sample.report().blocks >= wanted && sample.blocks_with_data() >= wanted / 2) {
      break;
    }
    ASSIGN_OR_RETURN(const std::vector<std::uint64_t> numbers, draw(chunks, wanted));
    RETURN_IF_ERROR(sample.check(numbers, stop));
  }
  return sample.report();
}

}  // namespace sealift::backup
