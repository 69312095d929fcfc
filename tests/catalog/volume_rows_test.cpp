#include "catalog/volume_rows.h"

#include "catalog/schema.h"
#include "tests/catalog/catalog_fixture.h"

using namespace sealift;
using archive::Role;
using catalog::Database;
using catalog::ReadVolume;
using support::rule_of;

namespace {

struct Scene {
  keyvault::SigningKey anna = support::must(keyvault::SigningKey::generate());
  keyvault::SigningKey bert = support::must(keyvault::SigningKey::generate());
  keyvault::SigningKey keeper = support::must(keyvault::SigningKey::generate());
  archive::Trust trust{{{anna.public_key(), Role::kWriter, {}, {}, "enrolled"},
                        {bert.public_key(), Role::kWriter, {}, {}, "enrolled"},
                        {keeper.public_key(), Role::kKeeper, {}, {}, "founder"}}};
  Database database = support::must(Database::open({}));

  Scene() {
    support::must(prepare_schema(
        database, archive::RepositoryId::parse(std::string(64, '1')).value()));
  }

  // A volume as open_volume() gives it, of archive aa…
  static ReadVolume volume(std::uint32_t number, const keyvault::SigningKey& signer) {
    ReadVolume read;
    read.index = catalog::Opened::kYes;
    read.volume.archive = archive::ArchiveId::parse(std::string(32, 'a')).value();
    read.volume.number = number;
    read.volume.name = archive::volume_name(read.volume.archive, number);
    read.volume.size = 8192;
    read.volume.signer = signer.public_key().id();
    read.volume.keys.push_back({.id = {},
                                .is_metadata = false,
                                .archive = read.volume.archive,
                                .content_key = {},
                                .signer = read.volume.signer});
    return read;
  }
  static ReadVolume with_snapshot(ReadVolume read, const keyvault::SigningKey& signer,
                                  char digest) {
    archive::SnapshotPart part;
    part.record.signer = signer.public_key().id();
    part.record.sequence = 1;
    part.record_digest = archive::Sha256Digest::parse(std::string(64, digest)).value();
    read.volume.snapshot = part;
    return read;
  }
  base::Status insert(const ReadVolume& read) const {
    return insert_volume(database, read, trust);
  }
  std::int64_t count(const std::string& table) const {
    return support::must(database.integer("SELECT count(*) FROM " + table));
  }
};

}  // namespace

TEST_CASE("R19: a host does not slip volumes into another host's archive",
          "[catalog][trust]") {
  const Scene scene;
  REQUIRE(scene.insert(Scene::volume(1, scene.anna)));
  SECTION("another writer's is refused") {
    const auto inserted = scene.insert(Scene::volume(2, scene.bert));
    REQUIRE_FALSE(inserted);
    CHECK(inserted.error().code() == base::ErrorCode::kCorrupt);
    CHECK(rule_of(inserted.error()) == "R19");
    CHECK(scene.count("volume") == 1);
    CHECK(scene.count("frame_key") == 1);
  }
  SECTION("a keeper's is taken: it may have rewritten it") {
    CHECK(scene.insert(Scene::volume(2, scene.keeper)));
  }
}

TEST_CASE("R19: a host does not carry another host's snapshot", "[catalog][trust]") {
  const Scene scene;
  const auto carried =
      Scene::with_snapshot(Scene::volume(1, scene.bert), scene.anna, '5');
  CHECK(rule_of(scene.insert(carried).error()) == "R19");
  CHECK(scene.insert(
      Scene::with_snapshot(Scene::volume(1, scene.keeper), scene.anna, '5')));
}

TEST_CASE("R19: an archive has one snapshot, wherever it was moved", "[catalog]") {
  const Scene scene;
  REQUIRE(scene.insert(
      Scene::with_snapshot(Scene::volume(1, scene.anna), scene.anna, '5')));
  CHECK(scene.insert(
      Scene::with_snapshot(Scene::volume(2, scene.keeper), scene.anna, '5')));
  CHECK(scene.count("snapshot") == 1);
  const auto other = scene.insert(
      Scene::with_snapshot(Scene::volume(3, scene.keeper), scene.anna, '6'));
  CHECK(rule_of(other.error()) == "R19");
}

TEST_CASE("a volume that another process inserted changes nothing", "[catalog]") {
  const Scene scene;
  ReadVolume read = Scene::volume(1, scene.anna);
  read.entries.push_back({.id = {},
                          .kind = archive::FrameKind::kData,
                          .key = 0,
                          .offset = 512,
                          .stored_size = 200,
                          .plain_size = 100});
  REQUIRE(scene.insert(read));
  REQUIRE(scene.insert(read));
  CHECK(scene.count("volume") == 1);
  CHECK(scene.count("chunk") == 1);
  SECTION("and takes its rows with it when it goes") {
    REQUIRE(delete_volume(scene.database, read.volume.name));
    CHECK(scene.count("frame_key") == 0);
    CHECK(scene.count("chunk") == 0);
  }
}
