#include "catalog/volume_batch.h"

#include "tests/catalog/rows_scene.h"

using namespace sealift;
using catalog::ReadVolume;
using catalog::VolumeBatch;
using support::RowsScene;
using support::rule_of;

TEST_CASE("a volume that another process inserted changes nothing", "[catalog]") {
  const RowsScene scene;
  const auto read = RowsScene::with_chunks(RowsScene::volume(1, scene.anna), 'c');
  auto batch = support::must(VolumeBatch::begin(scene.database));
  REQUIRE(batch.add(read));
  REQUIRE(batch.add(RowsScene::with_chunks(RowsScene::volume(2, scene.anna), 'd')));
  CHECK(scene.count("volume") == 0);
  CHECK(scene.count("chunk") == 0);
  {
    // The other one's rows have the numbers that ours would have got.
    auto other = support::must(insert_volume(scene.database, read, scene.trust));
    CHECK(other.size() == 1);
  }
  REQUIRE(support::must(batch.write(scene.trust)).empty());
  CHECK(scene.count("volume") == 2);
  CHECK(scene.count("frame_key") == 2);
  CHECK(scene.count("chunk") == 1);
  CHECK(scene.count("chunk c JOIN frame_key k ON k.row = c.frame_key JOIN volume v "
                    "ON v.row = k.volume WHERE v.number = 2 AND c.id = x'" +
                    std::string(64, 'd') + "'") == 1);
}

TEST_CASE("a volume that was read without a key gets its chunks later", "[catalog]") {
  const RowsScene scene;
  ReadVolume closed = RowsScene::volume(1, scene.anna);
  closed.index = catalog::Opened::kNoKey;
  REQUIRE(scene.insert(closed));
  REQUIRE(scene.insert(RowsScene::with_chunks(RowsScene::volume(1, scene.anna), 'c')));
  CHECK(scene.count("volume") == 1);
  CHECK(scene.count("chunk JOIN frame_key ON row = frame_key") == 1);
}

TEST_CASE("one volume that is refused does not stop the others", "[catalog][trust]") {
  const RowsScene scene;
  const auto refused =
      scene.insert_all({RowsScene::with_chunks(RowsScene::volume(1, scene.anna), 'c'),
                        RowsScene::with_chunks(RowsScene::volume(2, scene.bert), 'd'),
                        RowsScene::with_chunks(RowsScene::volume(3, scene.anna), 'e')});
  REQUIRE(refused.size() == 1);
  CHECK(rule_of(refused.front()) == "R19");
  CHECK(refused.front().places().back().name.ends_with("-0002.tar"));
  CHECK(scene.count("volume") == 2);
  CHECK(scene.count("chunk") == 2);
  CHECK(scene.count("chunk JOIN frame_key ON row = frame_key") == 2);
}

TEST_CASE("a batch is full of chunks, or of volumes", "[catalog]") {
  const RowsScene scene;
  auto batch = support::must(VolumeBatch::begin(scene.database));
  SECTION("of eight million chunks") {
    ReadVolume read = RowsScene::volume(1, scene.anna);
    read.volume.keys.clear();  // Its entries take no room then.
    read.entries.resize((std::size_t{8} << 20U) - 1);
    REQUIRE(batch.add(read));
    CHECK_FALSE(batch.is_full());
    read = RowsScene::volume(2, scene.anna);
    read.entries.resize(1);
    REQUIRE(batch.add(read));
  }
  SECTION("of 4,096 volumes") {
    for (std::uint32_t number = 1; number < 4096; ++number) {
      REQUIRE(batch.add(RowsScene::volume(number, scene.anna)));
    }
    CHECK_FALSE(batch.is_full());
    REQUIRE(batch.add(RowsScene::volume(4096, scene.anna)));
  }
  CHECK(batch.is_full());
  REQUIRE(support::must(batch.write(scene.trust)).empty());
  CHECK_FALSE(batch.is_full());
}

TEST_CASE("chunks are swept after their volume went", "[catalog]") {
  const RowsScene scene;
  const auto gone = RowsScene::with_chunks(RowsScene::volume(1, scene.anna), 'c');
  scene.insert_all(
      {gone, RowsScene::with_chunks(RowsScene::volume(2, scene.anna), 'd')});
  REQUIRE(delete_volume(scene.database, gone.volume.name));
  CHECK(scene.count("frame_key") == 1);
  CHECK(scene.count("chunk") == 2);
  REQUIRE(sweep_chunks(scene.database));
  CHECK(scene.count("chunk") == 1);
  CHECK(scene.count("meta WHERE name = 'is_unswept'") == 0);
  // And what comes after it does not inherit them.
  REQUIRE(scene.insert(RowsScene::volume(3, scene.anna)));
  CHECK(scene.count("chunk JOIN frame_key ON row = frame_key") == 1);
}

TEST_CASE("a batch that cannot be written leaves nothing, and is not tried again",
          "[catalog]") {
  const RowsScene scene;
  auto batch = support::must(VolumeBatch::begin(scene.database));
  REQUIRE(batch.add(RowsScene::with_chunks(RowsScene::volume(1, scene.anna), 'c')));
  SECTION("the disk is full") {
    support::must(scene.database.execute("PRAGMA max_page_count = 1"));
    ReadVolume large = RowsScene::volume(2, scene.anna);
    large.volume.created = {};
    for (std::uint64_t i = 0; i < 10'000; ++i) {
      large.entries.push_back({.id = {}, .offset = i, .stored_size = 200});
    }
    REQUIRE(batch.add(large));
    const auto written = batch.write(scene.trust);
    REQUIRE_FALSE(written);
    CHECK(written.error().code() == base::ErrorCode::kIo);
    REQUIRE(written.error().next_steps().size() == 1);
    CHECK(written.error().next_steps().front().find("SQLITE_TMPDIR") !=
          std::string::npos);
  }
  SECTION("the catalog is damaged: that is not a volume's fault") {
    support::must(
        scene.database.execute("CREATE TRIGGER odd BEFORE INSERT ON frame_key BEGIN "
                               "SELECT RAISE(ABORT, 'odd'); END"));
    const auto written = batch.write(scene.trust);
    REQUIRE_FALSE(written);
    CHECK(written.error().code() == base::ErrorCode::kCorrupt);
  }
  CHECK(scene.count("volume") == 0);
  CHECK(scene.count("chunk") == 0);
  CHECK(support::must(batch.write(scene.trust)).empty());
  CHECK(scene.count("volume") == 0);

  // Nor does what failed come in with what is added next.
  support::must(
      scene.database.execute("DROP TRIGGER IF EXISTS odd;"
                             "PRAGMA max_page_count = 1000000"));
  REQUIRE(batch.add(RowsScene::with_chunks(RowsScene::volume(3, scene.anna), 'e')));
  REQUIRE(support::must(batch.write(scene.trust)).empty());
  CHECK(scene.count("volume") == 1);
  CHECK(scene.count("chunk") == 1);
}
