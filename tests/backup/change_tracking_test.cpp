#include "backup/change_tracking.h"

#include "tests/support/catch.h"

namespace sealift::backup {

namespace {

template <typename Id>
Id id_of(unsigned char byte) {
  std::array<std::byte, Id::kSize> bytes{};
  bytes.fill(std::byte{byte});
  return Id::from(bytes);
}

const auto kRepository = id_of<archive::RepositoryId>(9);
const auto kOwn = id_of<archive::SignerId>(1);
const auto kOther = id_of<archive::SignerId>(2);

catalog::Snapshot snapshot_of(unsigned char id, const archive::SignerId& signer) {
  catalog::Snapshot snapshot;
  snapshot.id = id_of<archive::ArchiveId>(id);
  snapshot.signer = signer;
  snapshot.verdict = "complete";
  snapshot.is_opened = true;
  return snapshot;
}

}  // namespace

TEST_CASE("changes go on from the newest snapshot whose checkpoint is there",
          "[backup]") {
  std::vector<catalog::Snapshot> snapshots{snapshot_of(5, kOwn), snapshot_of(4, kOwn),
                                           snapshot_of(3, kOwn)};
  std::vector<std::string> there{checkpoint_name(kRepository, snapshots[2].id),
                                 checkpoint_name(kRepository, snapshots[1].id),
                                 "another-tool"};
  const auto found = [&] { return find_earlier(snapshots, kOwn, kRepository, there); };
  REQUIRE(found() == &snapshots[1]);

  SECTION("not from one of another host, whose frames do not count as stored") {
    snapshots[1].signer = kOther;
    CHECK(found() == &snapshots[2]);
    snapshots[2].signer = kOther;
    CHECK(found() == nullptr);
  }
  SECTION("not from a damaged one") {
    snapshots[1].verdict = "damaged";
    CHECK(found() == &snapshots[2]);
  }
  SECTION("not from one that does not open") {
    snapshots[1].is_opened = false;
    CHECK(found() == &snapshots[2]);
  }
  SECTION("not from one of another repository") {
    there = {checkpoint_name(id_of<archive::RepositoryId>(8), snapshots[0].id)};
    CHECK(found() == nullptr);
  }
}

}  // namespace sealift::backup
