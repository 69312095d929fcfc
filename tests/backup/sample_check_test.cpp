#include "backup/sample_check.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "archive/frame_opener.h"
#include "archive/limits.h"
#include "archive/page_tree.h"
#include "tests/support/catch.h"

namespace sealift::backup {

namespace {

constexpr std::uint32_t kChunk = 64 * 1024;
constexpr unsigned kJobs = 4;

// Chunk n holds the number n, but for holes: every `every`th holds data.
class TrackedMemory final : public vm::TrackedDisk {
 public:
  static constexpr std::uint64_t kNever = 0;

  TrackedMemory(std::uint64_t chunks, std::uint64_t every)
      : chunks_(chunks), every_(every) {}

  base::Bytes content(std::uint64_t number) const {
    base::Bytes bytes(kChunk);
    if (every_ != kNever && number % every_ == 0)
      base::write_be64(bytes, 0, number + 1);
    if (written.contains(number)) bytes[kChunk - 1] = std::byte{0xff};
    return bytes;
  }

  base::Status read_changed(std::uint32_t, unsigned, const vm::PieceSink&,
                            const vm::Progress&, std::stop_token) override {
    return base::Error(base::ErrorCode::kDefect, "not asked for here");
  }
  base::Result<bool> is_unchanged(std::uint64_t offset, std::uint64_t) override {
    return !noted.contains(offset / kChunk);
  }
  base::Status read_picked(const std::vector<std::uint64_t>& numbers,
                           std::uint32_t piece_size, unsigned jobs,
                           const vm::PieceSink& sink, std::stop_token stop) override {
    read_numbers.insert(numbers.begin(), numbers.end());
    if (on_reading) on_reading();
    if (stop.stop_requested())
      return base::Error(base::ErrorCode::kInterrupted, "stopped");
    std::vector<std::jthread> threads;
    for (unsigned job = 0; job < jobs; ++job) {
      threads.emplace_back([&, job] {
        for (std::size_t i = job; i < numbers.size(); i += jobs) {
          static_cast<void>(sink(numbers[i] * piece_size, content(numbers[i])));
        }
      });
    }
    return base::Done{};
  }

  std::uint64_t chunks() const { return chunks_; }

  std::set<std::uint64_t> written;  ///< Since the earlier snapshot.
  std::set<std::uint64_t> noted;    ///< Of those, what QEMU knows of.
  std::set<std::uint64_t> read_numbers;
  std::function<void()> on_reading;

 private:
  std::uint64_t chunks_;
  std::uint64_t every_;
};

// The tree of a disk as it is before anything is written.
class EarlierTree final : public archive::KnownChunks {
 public:
  explicit EarlierTree(const TrackedMemory& disk)
      : shape_(disk.chunks() * kChunk, kChunk),
        key_(keyvault::Secret::random(32).value()) {
    auto ids = keyvault::HmacSha256::create(key_).value();
    archive::PageTree tree(shape_, [this](const archive::Page& page) {
      const base::Bytes bytes = archive::encode(page);
      const archive::ChunkId id(keyvault::sha256(bytes).bytes());
      pages_.emplace(id, page);
      return base::Result<archive::ChunkId>(id);
    });
    for (std::uint64_t number = 0; number < disk.chunks(); ++number) {
      const base::Bytes bytes = disk.content(number);
      if (base::is_all_zero(bytes)) continue;
      REQUIRE(tree.set(number,
                       archive::chunk_id_of(ids, archive::FrameKind::kData, bytes)));
      REQUIRE(tree.finish_below(number));
    }
    root_ = tree.finish().value();
  }

  base::Result<bool> contains(const archive::ChunkId& id) const override {
    return id != lost;
  }
  std::optional<archive::ChunkId> lost;  ///< A chunk that nobody stores any more.

  archive::TreeView view() {
    return {shape_, root_,
            [this](const archive::ChunkId& id, std::uint32_t, std::uint32_t) {
              return base::Result<archive::Page>(pages_.at(id));
            },
            keyvault::HmacSha256::create(key_).value()};
  }

 private:
  archive::TreeShape shape_;
  keyvault::Secret key_;
  std::map<archive::ChunkId, archive::Page> pages_;
  archive::ChunkId root_;
};

}  // namespace

TEST_CASE("of a small disk every block called unchanged is read", "[backup]") {
  TrackedMemory disk(50, 2);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  disk.written = disk.noted = {3, 4};

  const SampleReport report =
      check_sample(disk, earlier, tree, kJobs, nullptr, {}).value();

  CHECK(report.blocks == 48);
  CHECK_FALSE(report.differs_at);
  CHECK_FALSE(disk.read_numbers.contains(3));
}

TEST_CASE("a block that changed behind QEMU's back is found", "[backup]") {
  TrackedMemory disk(50, 2);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  const std::uint64_t number = GENERATE(0U, 7U, 49U);
  disk.written = {number};

  const SampleReport report =
      check_sample(disk, earlier, tree, kJobs, nullptr, {}).value();

  REQUIRE(report.differs_at);
  CHECK(*report.differs_at == number * kChunk);
}

TEST_CASE("of a larger disk at least 64 blocks are drawn, all over it", "[backup]") {
  TrackedMemory disk(4000, 1);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();

  const SampleReport report =
      check_sample(disk, earlier, tree, kJobs, nullptr, {}).value();

  CHECK(report.blocks >= 64);
  CHECK(report.blocks <= 65);
  CHECK(*disk.read_numbers.begin() < 2000);
  CHECK(*disk.read_numbers.rbegin() >= 2000);
  const std::set<std::uint64_t> before = std::move(disk.read_numbers);
  disk.read_numbers.clear();
  REQUIRE(check_sample(disk, earlier, tree, kJobs, nullptr, {}));
  CHECK(disk.read_numbers != before);
}

TEST_CASE("of a disk that is mostly holes half of what is read held data", "[backup]") {
  TrackedMemory disk(4000, 5);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();

  CHECK(check_sample(disk, earlier, tree, kJobs, nullptr, {}).value().blocks <= 65);

  const auto with_data = std::ranges::count_if(
      disk.read_numbers, [](std::uint64_t number) { return number % 5 == 0; });
  CHECK(with_data >= 32);
  CHECK(with_data <= 33);
  CHECK(disk.read_numbers.size() >= 64);
}

TEST_CASE("of a disk without data 64 blocks are read", "[backup]") {
  TrackedMemory disk(4000, TrackedMemory::kNever);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  CHECK_FALSE(earlier.last_data(4000).value());
  CHECK(check_sample(disk, earlier, tree, kJobs, nullptr, {}).value().blocks == 64);
}

TEST_CASE("no more is read than was said before", "[backup]") {
  for (const std::uint64_t chunks : {1U, 50U, 64U, 65U, 4000U, 70000U}) {
    TrackedMemory disk(chunks, 7);
    EarlierTree tree(disk);
    archive::TreeView earlier = tree.view();
    const std::uint64_t most = most_sampled(earlier.shape());
    for (int i = 0; i < 4; ++i) {
      const SampleReport report =
          check_sample(disk, earlier, tree, kJobs, nullptr, {}).value();
      CAPTURE(chunks, most, report.blocks);
      CHECK(report.blocks <= most);
      CHECK(report.blocks + 1 >= most);
    }
  }
}

TEST_CASE("no more is read because a little changed", "[backup]") {
  TrackedMemory disk(4000, 1);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  for (std::uint64_t number = 0; number < 4000; number += 5) disk.noted.insert(number);
  const SampleReport report =
      check_sample(disk, earlier, tree, kJobs, nullptr, {}).value();
  CHECK(report.blocks >= 64);
  CHECK(report.blocks <= 65);
}

TEST_CASE("of a disk that changed nearly everywhere 64 blocks are found too",
          "[backup]") {
  TrackedMemory disk(4000, 1);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  for (std::uint64_t number = 0; number < 4000; ++number) {
    if (number % 4 != 0) disk.noted.insert(number);
  }
  CHECK(check_sample(disk, earlier, tree, kJobs, nullptr, {}).value().blocks >= 64);
}

TEST_CASE("the last block with data is always among them", "[backup]") {
  TrackedMemory disk(4000, 7);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  constexpr std::uint64_t kLast = 3997;  // The last multiple of 7.
  CHECK(earlier.last_data(4000).value() == kLast);
  disk.written = {kLast};
  CHECK(check_sample(disk, earlier, tree, kJobs, nullptr, {}).value().differs_at ==
        kLast * kChunk);
}

// An image that was made smaller and larger again is zeros from somewhere on, QEMU
// notes nothing of that, and the guest may have written behind it since.
TEST_CASE("the last block with data that is called unchanged is always among them",
          "[backup]") {
  constexpr std::uint64_t kChunks = 70000;  // Three levels of pages.
  const std::uint64_t last = GENERATE(0U, 7U, 65534U, 69993U);
  TrackedMemory disk(kChunks, 7);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  for (std::uint64_t number = last + 1; number < kChunks; ++number) {
    disk.noted.insert(number);
  }
  disk.written = {last};
  CAPTURE(last);
  CHECK(earlier.last_data(last + 1).value() == last);
  CHECK(check_sample(disk, earlier, tree, kJobs, nullptr, {}).value().differs_at ==
        last * kChunk);
}

TEST_CASE("before the first block with data there is none", "[backup]") {
  TrackedMemory disk(4000, 7);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  CHECK(earlier.last_data(1).value() == 0);
  CHECK_FALSE(earlier.last_data(0).value());
}

TEST_CASE("what the earlier snapshot holds and nobody stores is found", "[backup]") {
  TrackedMemory disk(50, 1);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  tree.lost = earlier.id_at(17).value();
  const SampleReport report =
      check_sample(disk, earlier, tree, kJobs, nullptr, {}).value();
  CHECK(report.missing_at == 17 * kChunk);
  CHECK_FALSE(report.differs_at);
}

TEST_CASE("what is read is told as it is read", "[backup]") {
  TrackedMemory disk(50, 1);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  std::atomic<std::size_t> spent = 0;
  const std::function<void(std::size_t)> count = [&](std::size_t bytes) {
    spent += bytes;
  };
  CHECK(check_sample(disk, earlier, tree, kJobs, count, {}).value().blocks * kChunk ==
        spent);
}

TEST_CASE("what was compared is said of none, one and many", "[backup]") {
  SampleReport report;
  CHECK(words_of(report) == "nothing is called unchanged");
  report.blocks = 1;
  CHECK(words_of(report) == "1 block called unchanged is what it was");
  report.blocks = 64;
  CHECK(words_of(report) == "64 blocks called unchanged are what they were");
}

TEST_CASE("a sample can be stopped", "[backup]") {
  TrackedMemory disk(50, 1);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  std::stop_source source;
  source.request_stop();
  CHECK(check_sample(disk, earlier, tree, kJobs, nullptr, source.get_token())
            .error()
            .code() == base::ErrorCode::kInterrupted);
}

TEST_CASE("a sample can be stopped while it is read", "[backup]") {
  TrackedMemory disk(50, 1);
  EarlierTree tree(disk);
  archive::TreeView earlier = tree.view();
  std::stop_source source;
  disk.on_reading = [&] { source.request_stop(); };
  CHECK(check_sample(disk, earlier, tree, kJobs, nullptr, source.get_token())
            .error()
            .code() == base::ErrorCode::kInterrupted);
}

}  // namespace sealift::backup
