// A damaged, missing or foreign volume: exit 3, named, and nothing is restored.
#include <random>

#include "restore/verify.h"
#include "tests/restore/restore_fixture.h"

namespace sealift::restore {

namespace {

namespace fs = std::filesystem;
using support::RestoreScene;

std::string place_of(const base::Error& error, const std::string& kind) {
  for (const auto& place : error.places()) {
    if (place.kind == kind) return place.name;
  }
  return "";
}

struct Damaged {
  RestoreScene scene;
  catalog::Snapshot snapshot =
      scene.back_up({.volume_size = 2 * archive::kMinChunkSize});
};

void check_refused(Damaged& damaged, const std::string& volume) {
  RestoreScene& scene = damaged.scene;
  // A plan alone looks at every byte.
  scene.request.bytes = BytesChecked::kFirst;
  const auto planned = scene.prepare(damaged.snapshot);
  REQUIRE_FALSE(planned);
  CHECK(planned.error().code() == base::ErrorCode::kCorrupt);
  CHECK(place_of(planned.error(), "volume") == volume);
  CHECK(scene.is_untouched());

  scene.request.bytes = BytesChecked::kWhenRead;
  const auto prepared = scene.prepare(damaged.snapshot);
  const base::Status ran = prepared ? prepared.value()->run({}) : prepared.error();
  REQUIRE_FALSE(ran);
  CHECK(ran.error().code() == base::ErrorCode::kCorrupt);
  CHECK(place_of(ran.error(), "volume") == volume);
  CHECK(scene.is_untouched());

  const fs::path folder = scene.target.path() / "files";
  const base::Status written =
      restore_to_directory(scene.environment(), {damaged.snapshot, folder, {}}, {});
  REQUIRE_FALSE(written);
  CHECK(written.error().code() == base::ErrorCode::kCorrupt);
  CHECK_FALSE(fs::exists(folder));

  for (const keyvault::RecoveryKey* identity :
       {&support::recovery_key(0),
        static_cast<const keyvault::RecoveryKey*>(nullptr)}) {
    const auto report = verify_snapshot(scene.place(), damaged.snapshot, identity, {});
    REQUIRE_FALSE(report);
    CHECK(report.error().code() == base::ErrorCode::kCorrupt);
    CHECK(place_of(report.error(), "volume") == volume);
  }
}

std::string name_of(const Damaged& damaged, const fs::path& volume) {
  return volume.lexically_relative(damaged.scene.archives.repository.folder.path())
      .string();
}

}  // namespace

TEST_CASE("a flipped byte in any volume is found, and nothing is left",
          "[restore][damage]") {
  Damaged damaged;
  REQUIRE(damaged.scene.volumes().size() > 1);
  std::mt19937 random(20261123);  // NOLINT(cert-msc51-cpp): the same bytes every time.
  for (const fs::path& volume : damaged.scene.volumes()) {
    const std::string whole = support::contents(volume);
    for (int i = 0; i < 6; ++i) {
      std::string flipped = whole;
      const std::size_t at = random() % whole.size();
      CAPTURE(volume.string(), at);
      flipped[at] = static_cast<char>(flipped[at] ^ 0x40);
      support::overwrite(volume, flipped);
      check_refused(damaged, name_of(damaged, volume));
    }
    support::overwrite(volume, whole);
  }
}

TEST_CASE("a missing or truncated volume is found, and nothing is left",
          "[restore][damage]") {
  Damaged damaged;
  for (const fs::path& volume : damaged.scene.volumes()) {
    CAPTURE(volume.string());
    const std::string whole = support::contents(volume);
    support::overwrite(volume, whole.substr(0, whole.size() - 512));
    check_refused(damaged, name_of(damaged, volume));
    fs::remove(volume);
    check_refused(damaged, name_of(damaged, volume));
    support::overwrite(volume, whole);
  }
}

TEST_CASE("volumes that swapped their names are found", "[restore][damage]") {
  Damaged damaged;
  const auto volumes = damaged.scene.volumes();
  const std::string first = support::contents(volumes[0]);
  support::overwrite(volumes[0], support::contents(volumes[1]));
  support::overwrite(volumes[1], first);
  const auto prepared = damaged.scene.prepare(damaged.snapshot);
  REQUIRE_FALSE(prepared);
  CHECK(prepared.error().code() == base::ErrorCode::kCorrupt);
  CHECK(damaged.scene.is_untouched());
}

}  // namespace sealift::restore
