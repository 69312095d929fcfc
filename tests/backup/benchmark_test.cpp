#include "backup/benchmark.h"

#include <cerrno>

#include "archive/folder_store.h"
#include "base/byte_count.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::backup {

namespace {

constexpr std::uint64_t kMuchRoom = 1024 * base::kGiB;

/// A store on a file system that takes no new file.
class ReadOnlyStore final : public archive::ObjectStore {
 public:
  explicit ReadOnlyStore(const archive::ObjectStore& there) : there_(there) {}

  std::string place() const override { return there_.place(); }
  base::Result<std::vector<archive::ObjectInfo>> list(
      std::string_view prefix) const override {
    return there_.list(prefix);
  }
  base::Result<archive::ObjectInfo> examine(std::string_view name) const override {
    return there_.examine(name);
  }
  base::Status read(std::string_view name, std::uint64_t offset,
                    std::span<std::byte> bytes) const override {
    return there_.read(name, offset, bytes);
  }
  base::Result<std::unique_ptr<archive::PendingObject>> create(
      std::string_view /*name*/) override {
    return base::system_error(EROFS, "cannot create a file");
  }

 private:
  const archive::ObjectStore& there_;
};

Benchmark computing(double sealing, double opening) {
  Benchmark found;
  found.sealing.sealing.all = sealing;
  found.sealing.opening.all = opening;
  found.sealing.stored_share = 0.25;
  return found;
}

}  // namespace

TEST_CASE("the limit is the stage that does least of a disk", "[backup]") {
  Benchmark found = computing(300, 900);
  CHECK(limit_of_backup(found).stage == "computing");
  CHECK(limit_of_backup(found).rate == 300);
  CHECK(limit_of_restore(found).rate == 900);

  // 100 of what is stored are 400 of the disk.
  found.storage = StorageRates{100, 100, {}};
  CHECK(limit_of_backup(found).stage == "computing");
  CHECK(limit_of_restore(found).stage == "reading from the repository");
  CHECK(limit_of_restore(found).rate == 400);

  found.sealing.stages = {{"chunk id", 1500, 3000}, {"compression", 600, 1200}};
  CHECK(limit_of_backup(found).stage == "computing");
  CHECK(limit_of_backup(found).above_all == "compression");
  found.storage = StorageRates{50, {}, {}};
  CHECK(limit_of_backup(found).stage == "writing to the repository");
  CHECK(limit_of_backup(found).above_all.empty());
  CHECK(limit_of_backup(found).rate == 200);
  CHECK(limit_of_restore(found).stage == "computing");

  found.storage->write.reset();
  CHECK(limit_of_backup(found).above_all == "compression");
}

TEST_CASE("the shares of a backup add up to 100", "[backup]") {
  archive::SealingRates rates;
  rates.stages = {{archive::kZeroCheck, 9, 9}, {"a", 3, 3}, {"b", 3, 3}, {"c", 3, 3}};
  rates.sealing = {"all of a backup", 1.2, 1.2};
  CHECK(percents_of_a_backup(rates) == std::vector<unsigned>{0, 33, 34, 33});
}

TEST_CASE("every stage works", "[backup]") {
  const base::Bytes sample = archive::sample_of_a_disk(1 << 20);
  CHECK(sample == archive::sample_of_a_disk(1 << 20));
  const auto rates =
      archive::measure_sealing(sample, {}, 2, std::chrono::milliseconds(20), {});
  REQUIRE(rates);
  CHECK(rates->stages.size() == 6);
  for (const archive::StageRate& stage : rates->stages) {
    CAPTURE(stage.name);
    CHECK(stage.one > 0);
    CHECK(stage.all > 0);
  }
  CHECK(rates->stored_share > 0.2);
  CHECK(rates->stored_share < 0.7);
}

TEST_CASE("storage is measured and left as it was", "[backup]") {
  const support::ScratchFolder folder;
  const auto store = archive::open_folder(folder.path(), base::real_filesystem());
  REQUIRE(store);
  const auto rates = measure_storage(*store.value(), kMuchRoom, {});
  REQUIRE(rates);
  CHECK(rates->write.value_or(0) > 0);
  CHECK_FALSE(rates->write_failure);
  CHECK_FALSE(rates->read);
  CHECK(std::filesystem::is_empty(folder.path()));

  const auto object = store.value()->create("archives/aa/volume.tar");
  REQUIRE(object);
  REQUIRE(object.value()->append(archive::noise(20 << 20)));
  REQUIRE(object.value()->publish());
  const auto again = measure_storage(*store.value(), kMuchRoom, {});
  REQUIRE(again);
  CHECK(again->read.value_or(0) > 0);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("what cannot be written to is read all the same", "[backup]") {
  const support::ScratchFolder folder;
  const auto store = archive::open_folder(folder.path(), base::real_filesystem());
  REQUIRE(store);
  const auto object = store.value()->create("archives/aa/volume.tar");
  REQUIRE(object.value()->append(archive::noise(20 << 20)));
  REQUIRE(object.value()->publish());

  SECTION("nothing is written where room is low") {
    const auto rates = measure_storage(*store.value(), 799 * base::kMiB, {});
    REQUIRE(rates);
    CHECK_FALSE(rates->write);
    REQUIRE(rates->write_failure);
    CHECK(rates->write_failure->cause() == "799.0 MiB are, and it takes 800.0 MiB");
    CHECK(rates->read.value_or(0) > 0);
  }
  SECTION("a folder that takes no file") {
    ReadOnlyStore read_only(*store.value());
    const auto rates = measure_storage(read_only, kMuchRoom, {});
    REQUIRE(rates);
    CHECK_FALSE(rates->write);
    CHECK(rates->write_failure.value().cause() == "Read-only file system");
    CHECK(rates->read.value_or(0) > 0);
  }
}

TEST_CASE("a benchmark that is stopped ends at once", "[backup]") {
  std::stop_source stop;
  stop.request_stop();
  const base::Bytes sample = archive::sample_of_a_disk(1 << 20);
  const auto rates =
      archive::measure_sealing(sample, {}, 2, std::chrono::hours(1), stop.get_token());
  REQUIRE_FALSE(rates);
  CHECK(rates.error().code() == base::ErrorCode::kInterrupted);
}

}  // namespace sealift::backup
