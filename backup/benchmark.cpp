#include "backup/benchmark.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/byte_count.h"

namespace sealift::backup {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMostBytes = 256 * base::kMiB;
constexpr std::size_t kPiece = 8 * base::kMiB;  // A segment.
constexpr std::uint64_t kShareOfRoom = 100;
constexpr auto kMostTime = std::chrono::seconds(5);

base::Error stopped() {
  return base::Error(base::ErrorCode::kInterrupted, "the benchmark was stopped");
}

// Handles `piece(offset)` after piece, up to `size` bytes or the time; bytes a second.
base::Result<double> rate_of(std::uint64_t size, const std::stop_token& stop,
                             const std::function<base::Status(std::uint64_t)>& piece) {
  const auto begin = Clock::now();
  std::uint64_t done = 0;
  while (done + kPiece <= size && Clock::now() - begin < kMostTime) {
    if (stop.stop_requested()) return stopped();
    RETURN_IF_ERROR(piece(done));
    done += kPiece;
  }
  const std::chrono::duration<double> spent = Clock::now() - begin;
  return static_cast<double>(done) / spent.count();
}

base::Result<double> measure_writing(archive::ObjectStore& store,
                                     std::uint64_t free_room,
                                     const std::stop_token& stop) {
  const std::uint64_t size = std::min(kMostBytes, free_room / kShareOfRoom);
  if (size < kPiece) {
    return base::Error(base::ErrorCode::kIo, "too little room is free there")
        .because(base::ByteCount(free_room).text() + " are, and it takes " +
                 base::ByteCount(kPiece * kShareOfRoom).text());
  }
  // Noise, in case that the storage compresses.
  const base::Bytes piece = archive::noise(kPiece);
  ASSIGN_OR_RETURN(const std::unique_ptr<archive::PendingObject> object,
                   store.create("benchmark"));
  return rate_of(size, stop, [&](std::uint64_t) { return object->append(piece); });
}

base::Result<std::optional<double>> measure_reading(const archive::ObjectStore& store,
                                                    const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::vector<archive::ObjectInfo> volumes,
                   store.list("archives/"));
  const auto largest =
      std::ranges::max_element(volumes, {}, &archive::ObjectInfo::size);
  if (largest == volumes.end() || largest->size < kPiece) {
    return std::optional<double>();
  }
  base::Bytes bytes(kPiece);
  ASSIGN_OR_RETURN(
      const double rate,
      rate_of(std::min(largest->size, kMostBytes), stop, [&](std::uint64_t offset) {
        return store.read(largest->name, offset, bytes);
      }));
  return std::optional(rate);
}

Limit least(std::initializer_list<Limit> limits) {
  return *std::ranges::min_element(limits, {}, &Limit::rate);
}

}  // namespace

Limit limit_of_backup(const Benchmark& benchmark) {
  Limit computing{"computing", benchmark.sealing.sealing.all, {}};
  const auto& stages = benchmark.sealing.stages;
  const auto dearest = std::ranges::min_element(stages, {}, &archive::StageRate::one);
  if (dearest != stages.end()) computing.above_all = dearest->name;
  if (!benchmark.storage || !benchmark.storage->write) return computing;
  return least({computing,
                {"writing to the repository",
                 *benchmark.storage->write / benchmark.sealing.stored_share,
                 {}}});
}

Limit limit_of_restore(const Benchmark& benchmark) {
  Limit computing{"computing", benchmark.sealing.opening.all, {}};
  if (!benchmark.storage || !benchmark.storage->read) return computing;
  return least({computing,
                {"reading from the repository",
                 *benchmark.storage->read / benchmark.sealing.stored_share,
                 {}}});
}

std::vector<unsigned> percents_of_a_backup(const archive::SealingRates& rates) {
  const auto time_of = [](const archive::StageRate& stage) {
    return stage.name == archive::kZeroCheck ? 0 : 1 / stage.one;
  };
  double all = 0;
  for (const archive::StageRate& stage : rates.stages) all += time_of(stage);
  std::vector<unsigned> percents;
  double time = 0;
  long given = 0;  // Sums are rounded, so that the last one is 100.
  for (const archive::StageRate& stage : rates.stages) {
    time += time_of(stage);
    const long sum = std::lround(100 * time / all);
    percents.push_back(static_cast<unsigned>(sum - given));
    given = sum;
  }
  return percents;
}

base::Result<StorageRates> measure_storage(archive::ObjectStore& store,
                                           std::uint64_t free_room,
                                           const std::stop_token& stop) {
  StorageRates rates;
  auto write = measure_writing(store, free_room, stop);
  if (write) {
    rates.write = write.value();
  } else if (write.error().code() == base::ErrorCode::kInterrupted) {
    return std::move(write).error();
  } else {
    rates.write_failure = std::move(write).error();
  }
  ASSIGN_OR_RETURN(rates.read, measure_reading(store, stop));
  return rates;
}

}  // namespace sealift::backup
