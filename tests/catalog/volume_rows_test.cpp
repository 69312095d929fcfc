#include "catalog/volume_rows.h"

#include "catalog/counted_keys.h"
#include "tests/catalog/rows_scene.h"

using namespace sealift;
using catalog::ReadVolume;
using support::RowsScene;
using support::rule_of;

TEST_CASE("R19: a host does not slip volumes into another host's archive",
          "[catalog][trust]") {
  const RowsScene scene;
  REQUIRE(scene.insert(RowsScene::volume(1, scene.anna)));
  SECTION("another writer's is refused") {
    const auto inserted = scene.insert(RowsScene::volume(2, scene.bert));
    REQUIRE_FALSE(inserted);
    CHECK(inserted.error().code() == base::ErrorCode::kCorrupt);
    CHECK(rule_of(inserted.error()) == "R19");
    CHECK(scene.count("volume") == 1);
    CHECK(scene.count("frame_key") == 1);
  }
  SECTION("a keeper's is taken: it may have rewritten it") {
    CHECK(scene.insert(RowsScene::volume(2, scene.keeper)));
  }
}

TEST_CASE("R19: a host does not carry another host's snapshot", "[catalog][trust]") {
  const RowsScene scene;
  const auto carried =
      RowsScene::with_snapshot(RowsScene::volume(1, scene.bert), scene.anna, '5');
  CHECK(rule_of(scene.insert(carried).error()) == "R19");
  CHECK(scene.insert(
      RowsScene::with_snapshot(RowsScene::volume(1, scene.keeper), scene.anna, '5')));
}

TEST_CASE("R19: who is not known any more is no keeper", "[catalog][trust]") {
  const RowsScene scene;
  const auto stranger = support::must(keyvault::SigningKey::generate());
  const auto carried =
      RowsScene::with_snapshot(RowsScene::volume(1, stranger), scene.anna, '5');
  CHECK(rule_of(scene.insert(carried).error()) == "R19");
}

TEST_CASE("a keeper's volume counts for a host as far as it holds the host's frames",
          "[catalog][trust]") {
  const RowsScene scene;
  ReadVolume rewritten = RowsScene::volume(1, scene.keeper);
  rewritten.volume.keys.push_back(rewritten.volume.keys.front());
  rewritten.volume.keys[0].signer = scene.anna.public_key().id();
  rewritten.volume.keys[1].signer = scene.bert.public_key().id();
  const auto stranger = support::must(keyvault::SigningKey::generate());
  ReadVolume forgotten = RowsScene::volume(1, stranger);
  forgotten.volume.archive = archive::ArchiveId::parse(std::string(32, 'b')).value();
  forgotten.volume.name = archive::volume_name(forgotten.volume.archive, 1);
  forgotten.volume.keys[0].signer = scene.anna.public_key().id();
  REQUIRE(scene.insert_all({rewritten, forgotten}).empty());
  const auto counted = support::must(
      find_counted_keys(scene.database, scene.trust, scene.anna.public_key().id(), {}));
  REQUIRE(counted.size() == 1);
  CHECK(scene.count("frame_key WHERE position = 0 AND row = " +
                    std::to_string(*counted.begin())) == 1);
}

TEST_CASE("R19: an archive has one snapshot, wherever it was moved", "[catalog]") {
  const RowsScene scene;
  REQUIRE(scene.insert(
      RowsScene::with_snapshot(RowsScene::volume(1, scene.anna), scene.anna, '5')));
  CHECK(scene.insert(
      RowsScene::with_snapshot(RowsScene::volume(2, scene.keeper), scene.anna, '5')));
  CHECK(scene.count("snapshot") == 1);
  const auto other = scene.insert(
      RowsScene::with_snapshot(RowsScene::volume(3, scene.keeper), scene.anna, '6'));
  CHECK(rule_of(other.error()) == "R19");
}
