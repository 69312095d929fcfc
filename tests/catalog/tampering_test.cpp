// What storage takes away, changes or adds: named, and stopped at.
#include "tests/catalog/catalog_fixture.h"

using namespace sealift;
using base::ErrorCode;
using catalog::Unbelieved;
using support::at;
using support::CatalogScene;
using support::rule_of;
namespace fs = std::filesystem;

namespace {

std::string place_of(const base::Error& error, std::string_view kind) {
  for (const auto& place : error.places()) {
    if (place.kind == kind) return place.name;
  }
  return "";
}

// The refresh fails in both modes, with this rule.
base::Error refused(const CatalogScene& scene, catalog::Catalog& catalog) {
  const auto skipping = scene.refresh(catalog, Unbelieved::kSkip);
  REQUIRE_FALSE(skipping);
  CHECK(skipping.error().code() == ErrorCode::kCorrupt);
  const auto stopping = scene.refresh(catalog, Unbelieved::kStop);
  REQUIRE_FALSE(stopping);
  CHECK(stopping.error().code() == ErrorCode::kCorrupt);
  return stopping.error();
}

// As refused(), and a reading that accepts losses goes to the end and names the same.
base::Error refused_or_reported(const CatalogScene& scene, catalog::Catalog& catalog) {
  const auto error = refused(scene, catalog);
  const auto accepting = scene.refresh(catalog, Unbelieved::kAcceptLoss);
  REQUIRE(accepting);
  REQUIRE(accepting->losses.size() == 1);
  CHECK(accepting->losses.front().what() == error.what());
  CHECK(rule_of(accepting->losses.front()) == rule_of(error));
  // It does not get used to that.
  CHECK_FALSE(scene.refresh(catalog, Unbelieved::kSkip));
  return error;
}

void flip(const fs::path& path, std::size_t from_end) {
  std::string bytes = support::contents(path);
  bytes[bytes.size() - from_end] =
      static_cast<char>(bytes[bytes.size() - from_end] ^ 1);
  support::overwrite(path, bytes);
}

}  // namespace

TEST_CASE("a known archive that vanished is named, with its VM", "[catalog][trust]") {
  CatalogScene scene;
  scene.back_up(scene.anna, {});
  const auto second = scene.back_up(scene.anna, {.created = at(200)});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  const std::string name = archive::volume_name(second.id, 1);

  SECTION("one of several") {
    fs::remove(scene.path_of(name));
    const auto error = refused_or_reported(scene, *catalog);
    CHECK(rule_of(error) == "R20");
    CHECK(place_of(error, "volume") == name);
    CHECK(place_of(error, "archive") == second.id.hex());
    CHECK(place_of(error, "vm") == "web-01");
    // What is left is whole, what is lost is not.
    const auto left = catalog->list("").value();
    REQUIRE(left.size() == 2);
    CHECK(left[0].id == second.id);
    CHECK(left[0].verdict != "complete");
    CHECK(left[1].verdict == "complete");
  }
  SECTION("all of them: the listing is empty") {
    fs::remove_all(scene.path_of("archives"));
    const auto error = refused(scene, *catalog);
    CHECK(error.what() == "the repository shows no archive, and had 2 volumes before");
    CHECK(error.next_steps().front().starts_with("is it mounted"));
    CHECK_FALSE(scene.refresh(*catalog, Unbelieved::kAcceptLoss));
  }
  SECTION("truncated") {
    fs::resize_file(scene.path_of(name), 4096);
    const auto error = refused_or_reported(scene, *catalog);
    CHECK(rule_of(error) == "R20");
    CHECK(place_of(error, "volume") == name);
  }
}

TEST_CASE("a fresh host sees what is missing, too", "[catalog][trust]") {
  CatalogScene scene;
  const auto first = scene.back_up(scene.anna, {.volume_size = 200'000});
  const auto second = scene.back_up(scene.anna, {.created = at(200)});
  REQUIRE(first.volumes >= 2);
  const auto catalog = scene.memory();

  SECTION("R15: a whole archive, which leaves a gap") {
    for (std::uint32_t number = 1; number <= first.volumes; ++number) {
      fs::remove(scene.path_of(archive::volume_name(first.id, number)));
    }
    const auto error = refused_or_reported(scene, *catalog);
    CHECK(rule_of(error) == "R15");
    CHECK(place_of(error, "sequence") == "1");
    CHECK(place_of(error, "signer") == scene.anna.id().hex());
  }
  SECTION("R15: the last volume of an archive") {
    fs::remove(scene.path_of(archive::volume_name(first.id, first.volumes)));
    CHECK(rule_of(refused_or_reported(scene, *catalog)) == "R15");
  }
  SECTION("R20: a volume in the middle") {
    const std::string name = archive::volume_name(first.id, 1);
    fs::remove(scene.path_of(name));
    const auto error = refused_or_reported(scene, *catalog);
    CHECK(rule_of(error) == "R20");
    CHECK(error.what() == "a volume of an archive is missing");
    CHECK(place_of(error, "volume") == name);
  }
  SECTION("R15: a record between snapshots") {
    // The founder's own chain: its first record enrolled anna.
    const auto founder = scene.repository.founder.id();
    scene.back_up_at(scene.repository.founder, {.created = at(300)},
                     {3, digest_of(scene.open().records()[1])});
    fs::remove(scene.path_of(archive::record_name(founder, 2)));
    const auto skipped = scene.refresh(*catalog, Unbelieved::kSkip);
    REQUIRE_FALSE(skipped);
    CHECK(rule_of(skipped.error()) == "R15");
  }
  SECTION("R17: the newest, which only the key vault remembers") {
    const auto head = scene.anna.vault.head(scene.repository.made.id()).value();
    CHECK(head.sequence == 2);
    CHECK(scene.refresh(*catalog, Unbelieved::kStop, scene.anna.id(), head));
    fs::remove(scene.path_of(archive::volume_name(second.id, 1)));
    const auto anew = scene.memory();
    CHECK(scene.refresh(*anew));
    const auto refreshed =
        scene.refresh(*anew, Unbelieved::kSkip, scene.anna.id(), head);
    REQUIRE_FALSE(refreshed);
    CHECK(refreshed.error().code() == ErrorCode::kCorrupt);
    CHECK(rule_of(refreshed.error()) == "R17");
    const auto accepting =
        scene.refresh(*anew, Unbelieved::kAcceptLoss, scene.anna.id(), head);
    REQUIRE(accepting);
    REQUIRE(accepting->losses.size() == 1);
    CHECK(rule_of(accepting->losses.front()) == "R17");
  }
  SECTION("but what it remembers may be behind, after a crash") {
    CHECK(scene.refresh(*catalog, Unbelieved::kStop, scene.anna.id(),
                        keyvault::ChainHead{1, first.record_digest}));
  }
}

TEST_CASE("R16: a fork of a chain is named", "[catalog][trust]") {
  CatalogScene scene;
  const auto first = scene.back_up(scene.anna, {});
  scene.back_up_at(scene.anna, {.created = at(200)}, {2, first.record_digest});
  scene.back_up_at(scene.anna, {.created = at(300)}, {2, first.record_digest});
  const auto catalog = scene.memory();
  const auto error = refused(scene, *catalog);
  CHECK(rule_of(error) == "R16");
  CHECK(place_of(error, "sequence") == "2");
  // Nothing is missing: no loss that could be accepted.
  CHECK_FALSE(scene.refresh(*catalog, Unbelieved::kAcceptLoss));
}

TEST_CASE("R15: a snapshot that follows another past is named", "[catalog][trust]") {
  CatalogScene scene;
  scene.back_up(scene.anna, {});
  scene.back_up_at(scene.anna, {.created = at(200)},
                   {2, archive::Sha256Digest::parse(std::string(64, '4')).value()});
  const auto catalog = scene.memory();
  CHECK(rule_of(refused(scene, *catalog)) == "R15");
  CHECK_FALSE(scene.refresh(*catalog, Unbelieved::kAcceptLoss));
}

TEST_CASE("R17: the catalog remembers the records that it saw", "[catalog][trust]") {
  CatalogScene scene;
  support::Host carl;
  scene.enrol(carl, "writer");
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  fs::remove(scene.path_of(archive::record_name(scene.repository.founder.id(), 3)));
  CHECK(rule_of(refused_or_reported(scene, *catalog)) == "R17");
}

TEST_CASE("nothing is learnt from a repository that lacks something",
          "[catalog][trust]") {
  CatalogScene scene;
  const auto first = scene.back_up(scene.anna, {});
  scene.back_up(scene.anna, {.created = at(200)});
  const std::string name = archive::volume_name(first.id, 1);
  const fs::path aside = scene.path_of("aside");
  fs::rename(scene.path_of(name), aside);
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog, Unbelieved::kAcceptLoss)->losses.size() == 1);
  CHECK(catalog->head(scene.anna.id())->sequence == 0);
  // A snapshot that was there before this catalog was begun is no base: what it leans
  // on may have been lost unseen.
  fs::rename(aside, scene.path_of(name));
  REQUIRE(scene.refresh(*catalog));
  CHECK(catalog->head(scene.anna.id())->sequence == 2);
  CHECK(catalog->began_at(scene.anna.id()).value() == 2);
}

TEST_CASE("a chunk of a lost volume is found in another", "[catalog][trust]") {
  CatalogScene scene;
  const auto of_anna = scene.back_up(scene.anna, {.chunks = {1, 2}});
  const auto of_bert = scene.back_up(scene.bert, {.chunks = {1, 2}});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  REQUIRE(catalog->locate(scene.chunk_id(1))->size() == 2);
  for (const auto& [lost, left] : {std::pair(of_anna, of_bert), {of_bert, of_anna}}) {
    const std::string name = archive::volume_name(lost.id, 1);
    const fs::path aside = scene.path_of("aside");
    fs::rename(scene.path_of(name), aside);
    REQUIRE(scene.refresh(*catalog, Unbelieved::kAcceptLoss));
    const auto places = catalog->locate(scene.chunk_id(1)).value();
    REQUIRE(places.size() == 1);
    CHECK(places[0].volume == archive::volume_name(left.id, 1));
    fs::rename(aside, scene.path_of(name));
  }
  REQUIRE(scene.refresh(*catalog));
  CHECK(catalog->locate(scene.chunk_id(1))->size() == 2);
}

TEST_CASE(
    "a volume that is not believed stops a restore, and is passed over by a "
    "backup",
    "[catalog][trust]") {
  CatalogScene scene;
  scene.back_up(scene.anna, {.chunks = {1}});
  const auto catalog = scene.memory();
  std::string name;

  SECTION("of a host that nobody enrolled") {
    support::Host stranger;
    const auto made =
        scene.back_up_at(stranger, {.created = at(200), .chunks = {2}}, {});
    name = archive::volume_name(made.id, 1);
  }
  SECTION("that is no volume at all") {
    name = archive::volume_name(archive::ArchiveId::parse(std::string(32, '7')).value(),
                                1);
    support::must(put_object(*scene.repository.store(), name,
                             base::as_bytes(std::string(8192, 'x'))));
  }
  SECTION("under a name that no volume has") {
    const auto other = scene.back_up(scene.anna, {.created = at(200)});
    name = "archives/my-copy.tar";
    fs::copy(scene.path_of(archive::volume_name(other.id, 1)), scene.path_of(name));
  }
  SECTION("that lies in the place of another") {
    const auto other = scene.back_up(scene.anna, {.created = at(200)});
    name = archive::volume_name(other.id, 2);
    fs::copy(scene.path_of(archive::volume_name(other.id, 1)), scene.path_of(name));
  }

  const auto stopped = scene.refresh(*catalog, Unbelieved::kStop);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code() == ErrorCode::kCorrupt);
  CHECK(place_of(stopped.error(), "volume") == name);

  const auto skipped = scene.refresh(*catalog, Unbelieved::kSkip);
  REQUIRE(skipped);
  REQUIRE(skipped->skipped.size() == 1);
  CHECK(place_of(skipped->skipped.front(), "volume") == name);
  CHECK_FALSE(catalog->list("web-01").value().empty());
  CHECK(catalog->locate(scene.chunk_id(2)).value().size() <= 1);
}

TEST_CASE("a damaged volume in the middle makes its snapshot damaged", "[catalog]") {
  CatalogScene scene;
  const auto committed =
      scene.back_up(scene.anna, {.chunks = {1, 2, 3, 4, 5, 6}, .volume_size = 200'000});
  const std::string name = archive::volume_name(committed.id, 1);
  flip(scene.path_of(name), 1200);
  const auto catalog = scene.memory();
  const auto report = scene.refresh(*catalog, Unbelieved::kSkip);
  REQUIRE(report);
  CHECK(report->skipped.size() == 1);
  REQUIRE(catalog->list("").value().size() == 1);
  CHECK(catalog->list("").value().front().verdict == "damaged");
  CHECK_FALSE(catalog->find("web-01"));

  SECTION("until it is brought back") {
    flip(scene.path_of(name), 1200);
    REQUIRE(scene.refresh(*catalog));
    CHECK(catalog->list("").value().front().verdict == "complete");
  }
}

TEST_CASE("what a revoked host wrote since then is held, and stops nothing",
          "[catalog][trust]") {
  CatalogScene scene;
  const auto before = scene.back_up(scene.anna, {.created = at(100), .chunks = {1}});
  scene.back_up(scene.anna, {.created = at(300), .chunks = {2}});
  scene.back_up(scene.bert, {.vm = "db", .created = at(400), .chunks = {3}});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  CHECK(catalog->list("").value().size() == 3);
  scene.keeper_record(
      "revoked",
      [&](archive::Record record) {
        return support::revoked(std::move(record), scene.anna.id(), at(200));
      },
      at(500));

  for (int times = 0; times < 2; ++times) {
    const auto report = scene.refresh(*catalog, Unbelieved::kStop);
    REQUIRE(report);
    REQUIRE(report->skipped.size() == 1);
    CHECK(rule_of(report->skipped.front()) == "V11");
    const auto left = catalog->list("").value();
    REQUIRE(left.size() == 2);
    CHECK(left[1].id == before.id);
    CHECK(catalog->locate(scene.chunk_id(2)).value().empty());
  }
  const auto anew = scene.memory();
  REQUIRE(scene.refresh(*anew));
  CHECK(anew->list("").value().size() == 2);
}

TEST_CASE("a signer that is not believed any more is missed, not revoked",
          "[catalog][trust]") {
  CatalogScene scene;
  support::Host guest;
  REQUIRE(scene.anna.vault.trust("guest", guest.key().public_key()));
  auto record = support::next_record(scene.open(), guest.id(), "note", at(100));
  support::must(
      put_record(*scene.repository.store(), record, support::signed_by(guest.key())));
  const auto catalog = scene.memory();
  const archive::RepositoryKeys keys = scene.keys();
  const auto trusting = support::must(scene.repository.open(&scene.anna.vault));
  REQUIRE(catalog->refresh(trusting, &keys, {}, {}, Unbelieved::kSkip));
  CHECK(catalog->head(guest.id()).value().sequence == 1);
  CHECK(rule_of(refused(scene, *catalog)) == "R9");
  const auto going_on = scene.refresh(*catalog, Unbelieved::kSkip);
  REQUIRE_FALSE(going_on);
  CHECK(rule_of(going_on.error()) == "R17");
}

TEST_CASE("of very many losses the first few stand for all", "[catalog][trust]") {
  CatalogScene scene;
  const auto large = scene.back_up(
      scene.anna,
      {.chunks = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                  16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30},
       .volume_size = 66'000});
  REQUIRE(large.volumes >= 25);
  scene.back_up(scene.anna, {.created = at(200)});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  for (std::uint32_t number = 1; number <= large.volumes; ++number) {
    fs::remove(scene.path_of(archive::volume_name(large.id, number)));
  }
  const auto report = scene.refresh(*catalog, Unbelieved::kAcceptLoss);
  REQUIRE(report);
  REQUIRE(report->losses.size() == 21);
  CHECK(report->losses.back().what().starts_with(std::to_string(large.volumes - 20) +
                                                 " more"));
}
