#include "backup/disk_pipeline.h"

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "tests/support/catch.h"

namespace sealift::backup {

namespace {

constexpr std::uint32_t kChunk = 64 * 1024;

// A disk in memory whose pieces come from `jobs` threads at once, as a real one's do.
class MemoryDisk final : public vm::DiskSource {
 public:
  MemoryDisk(std::uint64_t size, std::vector<std::uint64_t> allocated)
      : size_(size), allocated_(std::move(allocated)) {}

  const std::string& target() const override { return target_; }
  std::uint64_t size() const override { return size_; }

  base::Status read_allocated(std::uint32_t piece_size, unsigned jobs,
                              const vm::PieceSink& sink, const vm::Progress& progress,
                              std::stop_token stop) override {
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    std::optional<base::Error> first_error;
    {
      std::vector<std::jthread> threads;
      for (unsigned job = 0; job < jobs; ++job) {
        threads.emplace_back([&] {
          for (std::size_t i = next++; i < allocated_.size(); i = next++) {
            if (stop.stop_requested()) return;
            const std::uint64_t offset = allocated_[i] * piece_size;
            const base::Bytes bytes(std::min<std::uint64_t>(piece_size, size_ - offset),
                                    static_cast<std::byte>(allocated_[i] + 1));
            auto status = sink(offset, bytes);
            const std::scoped_lock lock(mutex);
            if (!status && !first_error) first_error = std::move(status).error();
          }
        });
      }
    }
    if (first_error) return *first_error;
    if (stop.stop_requested()) {
      return base::Error(base::ErrorCode::kInterrupted, "the run was stopped");
    }
    return progress(size_);
  }

 private:
  std::string target_ = "vda";
  std::uint64_t size_;
  std::vector<std::uint64_t> allocated_;
};

class RecordingComponent final : public archive::ComponentWriter {
 public:
  base::Status put(std::uint64_t number, base::ByteView chunk) override {
    if (number == refused) return base::Error(base::ErrorCode::kIo, "no space");
    const std::scoped_lock lock(mutex_);
    chunks[number] = base::Bytes(chunk.begin(), chunk.end());
    return base::Done{};
  }
  base::Status finish_below(std::uint64_t number) override {
    finished_below = number;
    return base::Done{};
  }
  base::Status finish(std::map<std::string, std::string>) override {
    return base::Done{};
  }

  std::map<std::uint64_t, base::Bytes> chunks;
  std::uint64_t finished_below = 0;
  std::optional<std::uint64_t> refused;

 private:
  std::mutex mutex_;
};

class CountingArchive final : public archive::ArchiveWriter {
 public:
  const archive::ArchiveId& id() const override { return id_; }
  archive::ArchiveCounts counts() const override {
    archive::ArchiveCounts counts;
    counts.stored_bytes = stored;
    return counts;
  }
  base::Result<std::unique_ptr<archive::ComponentWriter>> add_component(
      std::string, std::string, archive::IdScope, std::uint64_t) override {
    return base::Error(base::ErrorCode::kRefused, "not asked for here");
  }
  base::Result<std::unique_ptr<archive::ComponentWriter>> continue_disk(
      std::string, const archive::TreeView&) override {
    return base::Error(base::ErrorCode::kRefused, "not asked for here");
  }
  base::Status add_file(std::string, std::string, base::ByteView,
                        std::map<std::string, std::string>) override {
    return base::Done{};
  }
  base::Result<archive::CommittedSnapshot> commit(
      archive::Manifest, std::vector<archive::ProtectionKeyFile>,
      archive::ChainPosition) override {
    return archive::CommittedSnapshot{};
  }

  std::atomic<std::uint64_t> stored = 0;

 private:
  archive::ArchiveId id_;
};

}  // namespace

TEST_CASE("every allocated chunk of a disk is stored under its number", "[backup]") {
  MemoryDisk disk(9 * kChunk + 100, {0, 1, 4, 8, 9});
  RecordingComponent component;
  const CountingArchive archive;
  const std::stop_token never;
  Pace pace({}, archive, never);
  std::uint64_t shown = 0;

  REQUIRE(store_disk(disk, Pieces::kAllocated, component, kChunk, 4, pace,
                     [&](std::uint64_t offset, std::uint64_t) { shown = offset; }, {}));

  REQUIRE(component.chunks.size() == 5);
  CHECK(component.chunks.at(8) == base::Bytes(kChunk, std::byte{9}));
  CHECK(component.chunks.at(9) == base::Bytes(100, std::byte{10}));
  CHECK(component.finished_below == 9);
  CHECK(shown == disk.size());
}

TEST_CASE("an archive that refuses a chunk fails the disk by name", "[backup]") {
  MemoryDisk disk(4 * kChunk, {0, 1, 2, 3});
  RecordingComponent component;
  component.refused = 2;
  const CountingArchive archive;
  const std::stop_token never;
  Pace pace({}, archive, never);

  const auto status =
      store_disk(disk, Pieces::kAllocated, component, kChunk, 2, pace, nullptr, {});

  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kIo);
  CHECK(status.error().places().back() == base::Error::Place{"disk", "vda"});
}

TEST_CASE("a stop ends the disk as interrupted", "[backup]") {
  MemoryDisk disk(4 * kChunk, {0, 1, 2, 3});
  RecordingComponent component;
  const CountingArchive archive;
  const std::stop_token never;
  Pace pace({}, archive, never);
  std::stop_source source;
  source.request_stop();

  const auto status = store_disk(disk, Pieces::kAllocated, component, kChunk, 2, pace,
                                 nullptr, source.get_token());

  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kInterrupted);
}

TEST_CASE("a pace is that of what is slower, reading or storing", "[backup]") {
  using namespace std::chrono_literals;
  CountingArchive archive;
  archive.stored = std::uint64_t{1} << 40;  // Before: not counted.
  const std::stop_token never;
  const auto seconds_for = [&](const RateLimits& limits) {
    Pace pace(limits, archive, never);
    const auto before = std::chrono::steady_clock::now();
    archive.stored += 1100;
    pace.keep(1200);
    return std::chrono::steady_clock::now() - before;
  };
  CHECK(seconds_for({.read = 1000, .write = {}}) >= 190ms);
  CHECK(seconds_for({.read = {}, .write = 1000}) >= 90ms);
  CHECK(seconds_for({.read = 1000, .write = 1000}) >= 190ms);
}

}  // namespace sealift::backup
