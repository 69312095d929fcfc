#include "tests/archive/repository_fixture.h"

using namespace sealift;
using archive::ChainPosition;
using archive::Sha256Digest;
using base::ErrorCode;

namespace {

Sha256Digest digest(char digit) {
  return Sha256Digest::parse(std::string(64, digit)).value();
}

struct Scene {
  support::Host host;
  archive::RepositoryId repository{
      keyvault::sha256(base::as_bytes("document")).bytes()};

  Scene() { REQUIRE(host.vault.pin(repository, base::as_bytes("document"))); }

  base::Status extend(const keyvault::ChainHead& known, ChainPosition& seen,
                      Sha256Digest written) {
    return archive::extend_chain(
        host.vault, repository, known,
        [&](ChainPosition position) -> base::Result<Sha256Digest> {
          seen = position;
          return written;
        });
  }
};

}  // namespace

TEST_CASE("a chain begins at 1 with no previous record", "[archive]") {
  Scene scene;
  ChainPosition seen;
  REQUIRE(scene.extend({}, seen, digest('a')));
  CHECK(seen.sequence == 1);
  CHECK(seen.previous.is_zero());
  REQUIRE(scene.extend({}, seen, digest('b')));
  CHECK(seen.sequence == 2);
  CHECK(seen.previous == digest('a'));
  const auto head = scene.host.vault.head(scene.repository).value();
  CHECK(head.sequence == 2);
  CHECK(head.digest == digest('b'));
}

TEST_CASE("the newer of key vault and repository is gone on from", "[archive]") {
  Scene scene;
  ChainPosition seen;
  REQUIRE(scene.host.vault.set_head(scene.repository, {5, digest('a')}));
  SECTION("the repository's, after a crash before the vault remembered") {
    REQUIRE(scene.extend({6, digest('b')}, seen, digest('c')));
    CHECK(seen.sequence == 7);
    CHECK(seen.previous == digest('b'));
  }
  SECTION("the vault's, when the catalog was not refreshed") {
    REQUIRE(scene.extend({3, digest('b')}, seen, digest('c')));
    CHECK(seen.sequence == 6);
    CHECK(seen.previous == digest('a'));
  }
  SECTION("both of one number and different are a fork") {
    const auto extended = scene.extend({5, digest('b')}, seen, digest('c'));
    REQUIRE_FALSE(extended);
    CHECK(extended.error().code() == ErrorCode::kCorrupt);
    CHECK(scene.host.vault.head(scene.repository).value().sequence == 5);
  }
}

TEST_CASE("a record that was not written does not move the head", "[archive]") {
  Scene scene;
  const auto extended =
      archive::extend_chain(scene.host.vault, scene.repository, {},
                            [](ChainPosition) -> base::Result<Sha256Digest> {
                              return base::Error(ErrorCode::kIo, "the disk is full");
                            });
  CHECK(extended.error().code() == ErrorCode::kIo);
  CHECK(scene.host.vault.head(scene.repository).value().sequence == 0);
}

TEST_CASE("the known head is asked for under the lock", "[archive]") {
  Scene scene;
  ChainPosition seen;
  // Another process of this host, which dies before the vault remembers its record.
  REQUIRE(archive::extend_chain_after(
      scene.host.vault, scene.repository,
      [&]() -> base::Result<keyvault::ChainHead> {
        const auto lock =
            scene.host.vault.lock_chain(scene.repository, std::chrono::seconds(0));
        CHECK_FALSE(lock);
        return keyvault::ChainHead{4, digest('d')};
      },
      [&](ChainPosition position) -> base::Result<Sha256Digest> {
        seen = position;
        return digest('e');
      }));
  CHECK(seen.sequence == 5);
  CHECK(seen.previous == digest('d'));
}
