#include "catalog/counted_keys.h"
#include "catalog/schema.h"
#include "catalog/volume_batch.h"
#include "tests/catalog/catalog_fixture.h"

using namespace sealift;
using archive::Role;
using catalog::Database;
using catalog::ReadVolume;
using catalog::VolumeBatch;
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
  // With a chunk of each of its keys, whose id begins with `id`.
  static ReadVolume with_chunks(ReadVolume read, char id) {
    for (std::uint32_t key = 0; key < read.volume.keys.size(); ++key) {
      read.entries.push_back(
          {.id = archive::ChunkId::parse(std::string(64, id)).value(),
           .kind = archive::FrameKind::kData,
           .key = key,
           .offset = 512,
           .stored_size = 200,
           .plain_size = 100});
    }
    return read;
  }
  // Each volume's error, if it was refused.
  std::vector<base::Error> insert_all(std::vector<ReadVolume> volumes) const {
    auto batch = support::must(VolumeBatch::begin(database));
    for (ReadVolume& read : volumes) support::must(batch.add(std::move(read)));
    return support::must(batch.write(trust));
  }
  base::Status insert(const ReadVolume& read) const {
    auto refused = insert_all({read});
    if (refused.empty()) return base::Done{};
    return refused.front();
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

TEST_CASE("R19: who is not known any more is no keeper", "[catalog][trust]") {
  const Scene scene;
  const auto stranger = support::must(keyvault::SigningKey::generate());
  const auto carried =
      Scene::with_snapshot(Scene::volume(1, stranger), scene.anna, '5');
  CHECK(rule_of(scene.insert(carried).error()) == "R19");
}

TEST_CASE("a keeper's volume counts for a host as far as it holds the host's frames",
          "[catalog][trust]") {
  const Scene scene;
  ReadVolume rewritten = Scene::volume(1, scene.keeper);
  rewritten.volume.keys.push_back(rewritten.volume.keys.front());
  rewritten.volume.keys[0].signer = scene.anna.public_key().id();
  rewritten.volume.keys[1].signer = scene.bert.public_key().id();
  const auto stranger = support::must(keyvault::SigningKey::generate());
  ReadVolume forgotten = Scene::volume(1, stranger);
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
  const auto read = Scene::with_chunks(Scene::volume(1, scene.anna), 'c');
  auto batch = support::must(VolumeBatch::begin(scene.database));
  REQUIRE(batch.add(read));
  REQUIRE(batch.add(Scene::with_chunks(Scene::volume(2, scene.anna), 'd')));
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
  const Scene scene;
  ReadVolume closed = Scene::volume(1, scene.anna);
  closed.index = catalog::Opened::kNoKey;
  REQUIRE(scene.insert(closed));
  REQUIRE(scene.insert(Scene::with_chunks(Scene::volume(1, scene.anna), 'c')));
  CHECK(scene.count("volume") == 1);
  CHECK(scene.count("chunk JOIN frame_key ON row = frame_key") == 1);
}

TEST_CASE("one volume that is refused does not stop the others", "[catalog][trust]") {
  const Scene scene;
  const auto refused =
      scene.insert_all({Scene::with_chunks(Scene::volume(1, scene.anna), 'c'),
                        Scene::with_chunks(Scene::volume(2, scene.bert), 'd'),
                        Scene::with_chunks(Scene::volume(3, scene.anna), 'e')});
  REQUIRE(refused.size() == 1);
  CHECK(rule_of(refused.front()) == "R19");
  CHECK(refused.front().places().back().name.ends_with("-0002.tar"));
  CHECK(scene.count("volume") == 2);
  CHECK(scene.count("chunk") == 2);
  CHECK(scene.count("chunk JOIN frame_key ON row = frame_key") == 2);
}

TEST_CASE("a batch is full when the catalog would double", "[catalog]") {
  const Scene scene;
  auto batch = support::must(VolumeBatch::begin(scene.database));
  ReadVolume read = Scene::volume(1, scene.anna);
  read.entries.resize(1'000'000);
  REQUIRE(batch.add(read));
  CHECK_FALSE(batch.is_full());
  read = Scene::volume(2, scene.anna);
  read.entries.resize(100'000);
  REQUIRE(batch.add(read));
  CHECK(batch.is_full());
  REQUIRE(support::must(batch.write(scene.trust)).empty());
  CHECK_FALSE(batch.is_full());
}

TEST_CASE("chunks are swept after their volume went", "[catalog]") {
  const Scene scene;
  const auto gone = Scene::with_chunks(Scene::volume(1, scene.anna), 'c');
  scene.insert_all({gone, Scene::with_chunks(Scene::volume(2, scene.anna), 'd')});
  REQUIRE(delete_volume(scene.database, gone.volume.name));
  CHECK(scene.count("frame_key") == 1);
  REQUIRE(sweep_chunks(scene.database));
  CHECK(scene.count("chunk") == 1);
  // And what comes after it does not inherit them.
  REQUIRE(scene.insert(Scene::volume(3, scene.anna)));
  CHECK(scene.count("chunk JOIN frame_key ON row = frame_key") == 1);
}
