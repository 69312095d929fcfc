#include "backup/benchmark.h"

#include "archive/folder_store.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::backup {

namespace {

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
  found.storage = StorageRates{100, 100};
  CHECK(limit_of_backup(found).stage == "computing");
  CHECK(limit_of_restore(found).stage == "reading from the repository");
  CHECK(limit_of_restore(found).rate == 400);

  found.sealing.stages = {{"chunk id", 1500, 3000}, {"compression", 600, 1200}};
  CHECK(limit_of_backup(found).stage == "computing, above all compression,");
  found.storage = StorageRates{50, std::nullopt};
  CHECK(limit_of_backup(found).stage == "writing to the repository");
  CHECK(limit_of_backup(found).rate == 200);
  CHECK(limit_of_restore(found).stage == "computing");
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
  const auto rates = measure_storage(*store.value(), {});
  REQUIRE(rates);
  CHECK(rates->write > 0);
  CHECK_FALSE(rates->read);
  CHECK(std::filesystem::is_empty(folder.path()));

  const auto object = store.value()->create("archives/aa/volume.tar");
  REQUIRE(object);
  REQUIRE(object.value()->append(archive::noise(20 << 20)));
  REQUIRE(object.value()->publish());
  const auto again = measure_storage(*store.value(), {});
  REQUIRE(again);
  CHECK(again->read.value_or(0) > 0);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
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
