#include "catalog/database.h"
#include "tests/catalog/catalog_fixture.h"

using namespace sealift;
using base::ErrorCode;
using catalog::Unbelieved;
using support::at;
using support::CatalogScene;
namespace fs = std::filesystem;

TEST_CASE("a refresh lists what hosts backed up", "[catalog]") {
  CatalogScene scene;
  const auto committed = scene.back_up(scene.anna, {.volume_size = 200'000});
  const auto catalog = scene.memory();
  const auto report = support::must(scene.refresh(*catalog));
  CHECK(report.new_volumes == committed.volumes);
  CHECK(report.skipped.empty());
  REQUIRE(committed.volumes > 1);

  const auto snapshots = catalog->list("").value();
  REQUIRE(snapshots.size() == 1);
  const catalog::Snapshot& snapshot = snapshots.front();
  CHECK(snapshot.id == committed.id);
  CHECK(snapshot.signer == scene.anna.id());
  CHECK(snapshot.sequence == 1);
  CHECK(snapshot.vm_name == "web-01");
  CHECK(snapshot.vm_uuid == "6f0c1d3e-0000-4000-8000-0123456789ab");
  CHECK(snapshot.cluster == "cluster-a");
  CHECK(snapshot.host == "host-1");
  CHECK(snapshot.created == at(100));
  CHECK(snapshot.kind == "full");
  CHECK(snapshot.read == "all");
  CHECK(snapshot.source_bytes >= 3 * archive::kMinChunkSize);
  CHECK(snapshot.stored_bytes > 0);
  CHECK(snapshot.verdict == "complete");
  CHECK(snapshot.volumes == committed.volumes);
  CHECK(snapshot.is_opened);
  CHECK(snapshot.last_volume == archive::volume_name(committed.id, committed.volumes));

  const auto totals = catalog->totals().value();
  CHECK(totals.snapshots == 1);
  CHECK(totals.archives == 1);
  CHECK(totals.volumes == committed.volumes);
  CHECK(totals.bytes == committed.stored_bytes);
  CHECK(totals.vms == 1);
  const auto head = catalog->head(scene.anna.id()).value();
  CHECK(head.sequence == 1);
  CHECK(head.digest == committed.record_digest);
  CHECK(catalog->head(scene.bert.id()).value().sequence == 0);

  SECTION("and does nothing when nothing is new") {
    CHECK(support::must(scene.refresh(*catalog)).new_volumes == 0);
    CHECK(catalog->list("").value().size() == 1);
  }
  SECTION("and finds what comes later") {
    scene.back_up(scene.anna, {.created = at(200)});
    CHECK(support::must(scene.refresh(*catalog)).new_volumes == 1);
    CHECK(catalog->list("").value().size() == 2);
  }
}

TEST_CASE("a catalog knows what was there before it was begun", "[catalog]") {
  CatalogScene scene;
  const auto catalog = scene.memory();
  support::must(scene.refresh(*catalog));
  CHECK(catalog->began_at(scene.anna.id()).value() == 0);
  scene.back_up(scene.anna, {});
  scene.back_up(scene.anna, {.created = at(200)});
  SECTION("one that saw all of it was there from the beginning") {
    support::must(scene.refresh(*catalog));
    support::must(scene.refresh(*catalog));
    CHECK(catalog->began_at(scene.anna.id()).value() == 0);
  }
  SECTION("one that came later has not seen what was lost until then") {
    const auto later = scene.memory();
    support::must(scene.refresh(*later));
    scene.back_up(scene.anna, {.created = at(300)});
    scene.back_up(scene.bert, {.created = at(400)});
    support::must(scene.refresh(*later));
    CHECK(later->began_at(scene.anna.id()).value() == 2);
    CHECK(later->began_at(scene.bert.id()).value() == 0);
  }
  SECTION("nor has one that was made anew") {
    support::must(scene.refresh(*catalog));
    support::must(catalog->clear());
    support::must(scene.refresh(*catalog));
    CHECK(catalog->began_at(scene.anna.id()).value() == 2);
  }
}

TEST_CASE("without the repository key ids are listed, and filled in later",
          "[catalog]") {
  CatalogScene scene;
  const auto committed = scene.back_up(scene.anna, {});
  const auto catalog = scene.memory();
  REQUIRE(catalog->refresh(scene.open(), nullptr, {}, {}, Unbelieved::kStop));
  const auto closed = catalog->list("").value();
  REQUIRE(closed.size() == 1);
  CHECK(closed.front().id == committed.id);
  CHECK(closed.front().signer == scene.anna.id());
  CHECK(closed.front().created == at(100));
  CHECK_FALSE(closed.front().is_opened);
  CHECK(closed.front().vm_name.empty());
  CHECK(catalog->locate(scene.chunk_id(1)).value().empty());

  REQUIRE(scene.refresh(*catalog));
  const auto opened = catalog->list("").value();
  REQUIRE(opened.size() == 1);
  CHECK(opened.front().is_opened);
  CHECK(opened.front().vm_name == "web-01");
  CHECK(catalog->locate(scene.chunk_id(1)).value().size() == 1);

  SECTION("a catalog that was read with the key stays so without it") {
    REQUIRE(catalog->refresh(scene.open(), nullptr, {}, {}, Unbelieved::kStop));
    CHECK(catalog->list("").value().front().is_opened);
  }
}

TEST_CASE("an unfinished run is no snapshot and no gap", "[catalog]") {
  CatalogScene scene;
  scene.back_up_half(
      scene.anna, {.chunks = {10, 11, 12, 13, 14, 15, 16, 17}, .volume_size = 200'000});
  scene.back_up(scene.anna, {.created = at(200)});
  const auto catalog = scene.memory();
  CHECK(support::must(scene.refresh(*catalog)).skipped.empty());
  CHECK(catalog->list("").value().size() == 1);
}

TEST_CASE("records and snapshots are one chain", "[catalog]") {
  CatalogScene scene;
  scene.back_up(scene.anna, {});
  // A record of the same host between two snapshots.
  const auto first = scene.memory();
  REQUIRE(scene.refresh(*first));
  const auto opened = scene.open();
  REQUIRE(archive::extend_chain_after(
      scene.anna.vault, opened.id(), [&] { return first->head(scene.anna.id()); },
      [&](archive::ChainPosition position) -> base::Result<archive::Sha256Digest> {
        archive::Record record;
        record.kind = "run";
        record.repository = opened.id();
        record.signer = scene.anna.id();
        record.sequence = position.sequence;
        record.previous = position.previous;
        record.created = at(150);
        RETURN_IF_ERROR(put_record(*scene.repository.store(), record,
                                   support::signed_by(scene.anna.key())));
        return digest_of(record);
      }));
  scene.back_up(scene.anna, {.created = at(200)});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  CHECK(catalog->head(scene.anna.id()).value().sequence == 3);
}

TEST_CASE("a reader that opened the repository earlier is not misled", "[catalog]") {
  CatalogScene scene;
  const archive::Repository stale = scene.open();
  const archive::RepositoryKeys keys = scene.keys();
  support::Host carl;
  scene.enrol(carl, "writer");
  scene.back_up(carl, {});
  const auto catalog = scene.memory();
  const auto report = catalog->refresh(stale, &keys, {}, {}, Unbelieved::kStop);
  REQUIRE(report);
  CHECK(report->skipped.empty());
  CHECK(catalog->list("").value().size() == 1);
}

TEST_CASE("the catalog of another repository is not filled from this one",
          "[catalog]") {
  CatalogScene scene;
  const auto other = support::must(catalog::Catalog::open_in_memory(
      archive::RepositoryId::parse(std::string(64, '9')).value()));
  const auto refreshed = scene.refresh(*other);
  REQUIRE_FALSE(refreshed);
  CHECK(refreshed.error().code() == ErrorCode::kRefused);
}

TEST_CASE("what a keeper removed may be gone", "[catalog]") {
  CatalogScene scene;
  const auto first = scene.back_up(scene.anna, {.created = at(100)});
  scene.back_up(scene.anna, {.created = at(200)});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  const std::string name = archive::volume_name(first.id, 1);
  const auto removed = [&](archive::Record record) {
    record.fields = {{"volume", name},
                     {"snapshot", scene.anna.id().hex() + " 1 " + std::string(64, '0') +
                                      " " + first.record_digest.hex()}};
    return record;
  };
  SECTION("with its record") {
    scene.keeper_record("removed", removed, at(300));
    fs::remove(scene.path_of(name));
    REQUIRE(scene.refresh(*catalog));
    CHECK(catalog->list("").value().size() == 1);
    const auto anew = scene.memory();
    REQUIRE(scene.refresh(*anew));
    CHECK(anew->dump().value() == catalog->dump().value());
  }
  SECTION("not with a writer's record") {
    const auto record = removed(
        support::next_record(scene.open(), scene.bert.id(), "removed", at(300)));
    support::must(put_record(*scene.repository.store(), record,
                             support::signed_by(scene.bert.key())));
    fs::remove(scene.path_of(name));
    CHECK(scene.refresh(*catalog).error().code() == ErrorCode::kCorrupt);
  }
}

TEST_CASE("a keeper's record that does not say what it must is refused by rule R18",
          "[catalog][trust]") {
  CatalogScene scene;
  const std::string signer = scene.anna.id().hex();
  const std::string zero(64, '0');
  const auto catalog = scene.memory();
  const auto rule = [&](const std::string& kind, const std::string& name,
                        const std::string& value) {
    scene.keeper_record(kind, [&](archive::Record record) {
      record.fields.emplace_back(name, value);
      if (kind == "verified") record.fields.emplace_back("level", "2");
      return record;
    });
    const auto refreshed = scene.refresh(*catalog);
    return refreshed ? std::string() : support::rule_of(refreshed.error());
  };
  const auto removed = [&](const std::string& value) {
    return rule("removed", "snapshot", value);
  };
  SECTION("good") {
    CHECK(removed(signer + " 1 " + zero + " " + std::string(64, '1')).empty());
    CHECK(rule("verified", "archive", std::string(32, 'a')).empty());
  }
  SECTION("no signer") { CHECK(removed("anna 1 " + zero + " " + zero) == "R18"); }
  SECTION("no number") {
    CHECK(removed(signer + " one " + zero + " " + zero) == "R18");
  }
  SECTION("a number that is none of a record") {
    CHECK(removed(signer + " 99999999999999999999 " + zero + " " + zero) == "R18");
  }
  SECTION("a number and more") {
    CHECK(removed(signer + " 1x " + zero + " " + zero) == "R18");
  }
  SECTION("no previous record") { CHECK(removed(signer + " 1 none " + zero) == "R18"); }
  SECTION("no digest") { CHECK(removed(signer + " 1 " + zero) == "R18"); }
  SECTION("a word more") {
    CHECK(removed(signer + " 1 " + zero + " " + zero + " x") == "R18");
  }
  SECTION("no archive") { CHECK(rule("verified", "archive", "all") == "R18"); }
}

TEST_CASE("what a keeper wrote after it was revoked says nothing", "[catalog][trust]") {
  CatalogScene scene;
  const support::Host keeper;
  scene.enrol(keeper, "keeper");
  scene.keeper_record(
      "revoked",
      [&](archive::Record record) {
        return support::revoked(std::move(record), keeper.id(), at(200));
      },
      at(200));
  auto record = support::next_record(scene.open(), keeper.id(), "removed", at(300));
  record.fields = {{"snapshot", "nonsense"}};
  support::must(
      put_record(*scene.repository.store(), record, support::signed_by(keeper.key())));
  CHECK(scene.refresh(*scene.memory()));
}

TEST_CASE("who has nothing to write does not wait for another process that writes",
          "[catalog]") {
  CatalogScene scene;
  scene.back_up(scene.anna, {});
  const support::ScratchFolder scratch;
  const auto path = scratch.path() / "catalog.db";
  const auto id = scene.repository.made.id();
  REQUIRE(scene.refresh(*support::must(catalog::Catalog::open(path, id))));

  const auto other = support::must(catalog::Database::open(path));
  const auto writing = support::must(
      catalog::Transaction::begin(other, catalog::Transaction::Kind::kWrite));
  const auto catalog = support::must(catalog::Catalog::open(path, id));
  REQUIRE(scene.refresh(*catalog));
  CHECK(catalog->list("web-01").value().size() == 1);

  // A running backup goes on without what it wanted to note.
  const auto snapshot = scene.back_up(scene.bert, {.vm = "db"});
  const std::string name = archive::volume_name(snapshot.id, 1);
  const archive::Repository opened = scene.open();
  const auto added =
      catalog->add_own_volume(opened, scene.keys(), scene.bert.id(),
                              support::must(opened.store().examine(name)));
  REQUIRE_FALSE(added);
  CHECK(added.error().code() == ErrorCode::kBusy);
}
