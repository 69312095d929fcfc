// Lookups from several threads, and two processes' refreshes at once.
#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "tests/catalog/catalog_fixture.h"

using namespace sealift;
using catalog::Catalog;
using catalog::Unbelieved;
using support::at;
using support::CatalogScene;

TEST_CASE("chunks are looked up from several threads at once", "[catalog][threads]") {
  CatalogScene scene;
  scene.back_up(scene.anna, {.chunks = {1, 2, 3, 4}});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog, Unbelieved::kStop, scene.anna.id()));
  std::vector<archive::ChunkId> ids;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) ids.push_back(scene.chunk_id(seed));
  std::atomic<std::size_t> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (std::size_t round = 0; round < 200; ++round) {
          const std::size_t at = round % ids.size();
          const bool is_known = at < 4;
          if (catalog->contains(ids[at]).value() != is_known) ++wrong;
          if (catalog->locate(ids[at]).value().size() != (is_known ? 1 : 0)) ++wrong;
        }
      });
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("two refreshes of one catalog at once give the same as one",
          "[catalog][threads]") {
  CatalogScene scene;
  for (int second = 100; second < 106; ++second) {
    scene.back_up(scene.anna, {.created = at(second),
                               .chunks = {static_cast<std::uint64_t>(second)}});
  }
  const auto alone = scene.memory();
  REQUIRE(scene.refresh(*alone));
  // Who writes beneath an open read fails in one round of ten or so.
  for (int round = 0; round < 40; ++round) {
    const support::ScratchFolder scratch;
    const auto path = scratch.path() / "catalog.db";
    const auto id = scene.repository.made.id();
    std::array<std::string, 3> errors;
    {
      std::vector<std::jthread> threads;
      for (std::string& error : errors) {
        threads.emplace_back([&] {
          const auto catalog = Catalog::open(path, id);
          if (!catalog) {
            error = base::render(catalog.error());
            return;
          }
          const auto refreshed = scene.refresh(*catalog.value());
          if (!refreshed) error = base::render(refreshed.error());
        });
      }
    }
    for (const std::string& error : errors) CHECK(error == "");
    const auto shared = support::must(Catalog::open(path, id));
    REQUIRE(shared->dump().value() == alone->dump().value());
  }
}
