// "Counted as stored" (design.md, section 3), and every place of a chunk.
#include "catalog/counted_keys.h"
#include "catalog/schema.h"
#include "tests/catalog/catalog_fixture.h"

using namespace sealift;
using catalog::Unbelieved;
using support::at;
using support::CatalogScene;

TEST_CASE("a host counts on its own chunks, and finds everybody's", "[catalog]") {
  CatalogScene scene;
  scene.back_up(scene.anna, {.chunks = {1, 2}});
  scene.back_up(scene.bert, {.vm = "db", .chunks = {2, 3}});
  const auto catalog = scene.memory();

  REQUIRE(scene.refresh(*catalog, Unbelieved::kStop, scene.anna.id()));
  CHECK(catalog->contains(scene.chunk_id(1)).value());
  CHECK(catalog->contains(scene.chunk_id(2)).value());
  CHECK_FALSE(catalog->contains(scene.chunk_id(3)).value());
  CHECK_FALSE(catalog->contains(scene.chunk_id(9)).value());
  CHECK(catalog->locate(scene.chunk_id(1)).value().size() == 1);
  CHECK(catalog->locate(scene.chunk_id(3)).value().size() == 1);
  CHECK(catalog->locate(scene.chunk_id(9)).value().empty());

  // Both hosts stored it: readers try both, what this host counts on first.
  const auto places = catalog->locate(scene.chunk_id(2)).value();
  REQUIRE(places.size() == 2);
  const auto anna = catalog->list("web-01").value().front();
  CHECK(places.front().volume == anna.last_volume);
  CHECK(places.front().offset > 0);
  CHECK(places.front().stored_size > archive::kMinChunkSize);

  SECTION("a host without a signer counts on nothing") {
    REQUIRE(scene.refresh(*catalog));
    CHECK_FALSE(catalog->contains(scene.chunk_id(1)).value());
  }
  SECTION("nothing counts before a refresh has said whose it is") {
    const support::ScratchFolder scratch;
    const auto id = scene.repository.made.id();
    const auto path = scratch.path() / "catalog.db";
    REQUIRE(scene.refresh(*support::must(catalog::Catalog::open(path, id)),
                          Unbelieved::kStop, scene.anna.id()));
    const auto again = support::must(catalog::Catalog::open(path, id));
    CHECK_FALSE(again->contains(scene.chunk_id(1)).value());
    CHECK(again->locate(scene.chunk_id(1)).value().size() == 1);
  }
}

TEST_CASE("what a keeper attested counts for every host", "[catalog]") {
  CatalogScene scene;
  const auto committed = scene.back_up(scene.bert, {.chunks = {3}});
  const auto verified = [&](const std::string& level) {
    return [&, level](archive::Record record) {
      record.fields = {{"archive", committed.id.hex()}, {"level", level}};
      return record;
    };
  };
  const auto catalog = scene.memory();
  const auto counts = [&] {
    REQUIRE(scene.refresh(*catalog, Unbelieved::kStop, scene.anna.id()));
    return catalog->contains(scene.chunk_id(3)).value();
  };
  CHECK_FALSE(counts());
  SECTION("by a keeper") {
    scene.keeper_record("verified", verified("2"), at(200));
    CHECK(counts());
  }
  SECTION("not when only signatures were checked") {
    scene.keeper_record("verified", verified("1"), at(200));
    CHECK_FALSE(counts());
  }
  SECTION("not by a writer") {
    const auto record = verified("3")(
        support::next_record(scene.open(), scene.anna.id(), "verified", at(200)));
    support::must(put_record(*scene.repository.store(), record,
                             support::signed_by(scene.anna.key())));
    CHECK_FALSE(counts());
  }
}

TEST_CASE("a known chunk is not stored again, an unfinished run's neither",
          "[catalog]") {
  CatalogScene scene;
  const auto first = scene.back_up(scene.anna, {.chunks = {1, 2, 3, 4}});
  const auto second =
      scene.back_up(scene.anna, {.created = at(200), .chunks = {1, 2, 3, 5}});
  CHECK(second.stored_bytes < first.stored_bytes / 2);

  // Finished volumes of a run that died are found again.
  scene.back_up_half(scene.anna, {.created = at(300),
                                  .chunks = {10, 11, 12, 13, 14, 15, 16, 17},
                                  .volume_size = 200'000});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog, Unbelieved::kStop, scene.anna.id()));
  CHECK(catalog->contains(scene.chunk_id(10)).value());
  CHECK(catalog->list("").value().size() == 2);
  CHECK(catalog->totals().value().archives == 3);
}

TEST_CASE("what a run has finished counts while it runs", "[catalog]") {
  CatalogScene scene;
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog, Unbelieved::kStop, scene.anna.id()));
  const archive::Repository opened = scene.open();
  const archive::RepositoryKeys keys = scene.keys();
  std::size_t told = 0;
  archive::ArchiveOptions options{.volume_size = 200'000};
  options.on_volume = [&](const archive::ObjectInfo& volume) {
    ++told;
    return static_cast<bool>(
        catalog->add_own_volume(opened, keys, scene.anna.id(), volume));
  };
  const auto writer = support::must(archive::ArchiveWriter::begin(
      opened, keys, scene.anna.key(), *catalog,
      support::must(archive::ArchiveWriter::draw_id()), at(300), options));
  const auto disk = support::must(writer->add_component(
      "disk", "vda", archive::IdScope::kShared, 16 * archive::kMinChunkSize));
  for (std::uint64_t i = 0; i < 16; ++i) {
    REQUIRE(disk->put(i, support::chunk_of(10 + i % 8)));
  }
  CHECK(told >= 2);
  CHECK(writer->counts().new_chunks == 8);
  CHECK(catalog->contains(scene.chunk_id(10)).value());
  CHECK(catalog->locate(scene.chunk_id(10)).value().size() == 1);

  // The next refresh finds what it would have found without that.
  REQUIRE(scene.refresh(*catalog, Unbelieved::kStop, scene.anna.id()));
  const auto anew = scene.memory();
  REQUIRE(scene.refresh(*anew, Unbelieved::kStop, scene.anna.id()));
  CHECK(catalog->dump().value() == anew->dump().value());
}

TEST_CASE("a volume of another host is not one's own", "[catalog]") {
  CatalogScene scene;
  scene.back_up(scene.bert, {.chunks = {3}});
  const auto catalog = scene.memory();
  const auto volumes = support::must(scene.open().store().list("archives/"));
  REQUIRE(volumes.size() == 1);
  REQUIRE(catalog->add_own_volume(scene.open(), scene.keys(), scene.anna.id(),
                                  volumes.front()));
  CHECK_FALSE(catalog->contains(scene.chunk_id(3)).value());
}

TEST_CASE("a host's word that its garbage is ours does not count", "[catalog]") {
  const auto id = [](char digit) { return std::string(64, digit); };
  const auto database = support::must(catalog::Database::open({}));
  const auto own = support::must(keyvault::SigningKey::generate());
  const auto hostile = support::must(keyvault::SigningKey::generate());
  const auto keeper = support::must(keyvault::SigningKey::generate());
  REQUIRE(prepare_schema(database, archive::RepositoryId::parse(id('1')).value()));
  const archive::Trust trust({
      {own.public_key(), archive::Role::kWriter, {}, {}, "enrolled"},
      {hostile.public_key(), archive::Role::kWriter, {}, {}, "enrolled"},
      {keeper.public_key(), archive::Role::kKeeper, {}, {}, "founder"},
  });
  // Three volumes, each claiming to hold frames under a key that `own` drew.
  std::int64_t number = 0;
  for (const auto* writer : {&own, &hostile, &keeper}) {
    ++number;
    auto volume = support::must(
        database.prepare("INSERT INTO volume VALUES (?1, ?1, 1, x'aa', 1, ?2, 0, 1)"));
    REQUIRE(volume.with(number, writer->public_key().id()).run());
    auto key = support::must(
        database.prepare("INSERT INTO frame_key VALUES (?1, ?1, 0, x'bb', x'cc', ?2)"));
    REQUIRE(key.with(number, own.public_key().id()).run());
  }
  const auto counted =
      support::must(find_counted_keys(database, trust, own.public_key().id(), {}));
  CHECK(counted == std::unordered_set<std::int64_t>{1, 3});
  CHECK(support::must(find_counted_keys(database, trust, {}, {})).empty());
}
