#include "restore/verify.h"

#include "tests/restore/restore_fixture.h"

namespace sealift::restore {

namespace {

using support::RestoreScene;

base::Result<VerifyReport> verify(RestoreScene& scene, const support::VmSnapshot& vm,
                                  const keyvault::RecoveryKey* identity) {
  const catalog::Snapshot snapshot = scene.back_up(vm);
  return verify_snapshot(scene.place(), snapshot, identity, {});
}

}  // namespace

TEST_CASE("verify reaches level 3 when the key opens the guest state",
          "[restore][verify]") {
  RestoreScene scene;
  const VerifyReport report =
      support::must(verify(scene, {}, &support::recovery_key(0)));
  CHECK(report.level == 3);
  CHECK(report.reason.empty());
  // Disk: 4; definition, NVRAM and guest state: 1 each.
  CHECK(report.chunks == 7);
  CHECK(report.bytes_read > 0);
}

TEST_CASE("verify without an identity reaches level 1 and says so",
          "[restore][verify]") {
  RestoreScene scene;
  const VerifyReport report = support::must(verify(scene, {}, nullptr));
  CHECK(report.level == 1);
  CHECK(report.reason == "no --identity");
  CHECK(report.chunks == 0);
}

TEST_CASE("verify says why it stops at level 2", "[restore][verify]") {
  RestoreScene scene;
  SECTION("no vTPM") {
    const VerifyReport report = support::must(
        verify(scene, {.key = {}, .has_vtpm = false}, &support::recovery_key(0)));
    CHECK(report.level == 2);
    CHECK(report.reason == "the VM has no vTPM");
  }
  SECTION("an unencrypted one") {
    const VerifyReport report =
        support::must(verify(scene, {.state = support::swtpm_state({}), .key = {}},
                             &support::recovery_key(0)));
    CHECK(report.level == 2);
    CHECK(report.reason == "the vTPM state is not encrypted");
  }
  SECTION("no key") {
    const VerifyReport report =
        support::must(verify(scene, {.key = {}}, &support::recovery_key(0)));
    CHECK(report.level == 2);
    CHECK(report.reason == "the snapshot holds no protection key");
  }
}

TEST_CASE("a guest state that its key does not open is damage", "[restore][verify]") {
  RestoreScene scene;
  const base::ByteView other = base::as_bytes("another key");
  const auto report =
      verify(scene, {.state = support::swtpm_state(other)}, &support::recovery_key(0));
  REQUIRE_FALSE(report);
  CHECK(report.error().code() == base::ErrorCode::kCorrupt);
  CHECK(report.error().what() == "the protection key does not open the guest state");
}

TEST_CASE("a wrong recovery key is a wrong key", "[restore][verify]") {
  RestoreScene scene;
  SECTION("for the archive") {
    CHECK(verify(scene, {}, &support::recovery_key(1)).error().code() ==
          base::ErrorCode::kWrongKey);
  }
  SECTION("for the protection key alone") {
    CHECK(verify(scene, {.recipient = 1}, &support::recovery_key(0)).error().code() ==
          base::ErrorCode::kWrongKey);
  }
}

TEST_CASE("verify stops when it is asked to", "[restore][verify]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  std::stop_source stop;
  stop.request_stop();
  CHECK(verify_snapshot(scene.place(), snapshot, &support::recovery_key(0),
                        stop.get_token())
            .error()
            .code() == base::ErrorCode::kInterrupted);
}

}  // namespace sealift::restore
