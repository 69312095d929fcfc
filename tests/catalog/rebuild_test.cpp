#include "tests/catalog/catalog_fixture.h"

using namespace sealift;
using catalog::Catalog;
using catalog::Unbelieved;
using support::at;
using support::CatalogScene;

TEST_CASE("a rebuild gives the same answers, from the repository alone", "[catalog]") {
  CatalogScene scene;
  const support::ScratchFolder scratch;
  const auto path = scratch.path() / "catalog.db";
  const auto catalog = support::must(Catalog::open(path, scene.repository.made.id()));

  // Grown run by run, by two hosts, over several volumes, with a run that died.
  scene.back_up(scene.anna, *catalog, {.created = at(100), .volume_size = 200'000});
  scene.back_up(scene.anna, *catalog, {.created = at(200), .chunks = {1, 2, 4}});
  scene.back_up(scene.bert, *catalog,
                {.vm = "db",
                 .uuid = "11111111-2222-4333-8444-555555555555",
                 .created = at(150),
                 .chunks = {3, 5, 6, 7, 8},
                 .volume_size = 200'000});
  scene.back_up_half(scene.bert, {.created = at(250),
                                  .chunks = {20, 21, 22, 23, 24, 25, 26, 27},
                                  .volume_size = 200'000});
  scene.back_up(scene.anna, *catalog, {.created = at(300), .verdict = "incomplete"});
  REQUIRE(scene.refresh(*catalog, Unbelieved::kStop, scene.anna.id()));
  const std::string grown = catalog->dump().value();
  CHECK(grown.find("|web-01|") != std::string::npos);
  CHECK(grown.find("\nhead|") != std::string::npos);

  SECTION("by clearing") {
    REQUIRE(catalog->clear());
    CHECK(catalog->list("").value().empty());
    CHECK(catalog->totals().value().volumes == 0);
    CHECK(catalog->dump().value() != grown);
    REQUIRE(scene.refresh(*catalog, Unbelieved::kStop, scene.anna.id()));
    CHECK(catalog->dump().value() == grown);
  }
  SECTION("in a new file") {
    const auto anew = support::must(
        Catalog::open(scratch.path() / "new.db", scene.repository.made.id()));
    REQUIRE(scene.refresh(*anew, Unbelieved::kStop, scene.anna.id()));
    CHECK(anew->dump().value() == grown);
    for (std::uint64_t seed = 1; seed < 30; ++seed) {
      CAPTURE(seed);
      const auto id = scene.chunk_id(seed);
      CHECK(anew->contains(id).value() == catalog->contains(id).value());
      CHECK(anew->locate(id).value().size() == catalog->locate(id).value().size());
    }
    CHECK(anew->find("web-01").value().snapshot.id ==
          catalog->find("web-01").value().snapshot.id);
  }
  SECTION("through a host that first had no key") {
    const auto anew = scene.memory();
    REQUIRE(anew->refresh(scene.open(), nullptr, {}, {}, Unbelieved::kStop));
    REQUIRE(scene.refresh(*anew));
    CHECK(anew->dump().value() == grown);
  }
}
