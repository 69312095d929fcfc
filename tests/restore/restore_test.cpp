#include "restore/restore.h"

#include <sys/stat.h>

#include "base/subprocess.h"
#include "tests/restore/restore_fixture.h"

namespace sealift::restore {

namespace {

namespace fs = std::filesystem;
using support::RestoreScene;

base::Bytes guest_view(const fs::path& image, const fs::path& scratch) {
  const auto converted = base::run_program({"qemu-img", "convert", "-f", "qcow2", "-O",
                                            "raw", image.string(), scratch.string()},
                                           std::chrono::seconds(60));
  REQUIRE(converted);
  CAPTURE(converted.value().error_output);
  REQUIRE(converted.value().exit_status == 0);
  return base::read_file(scratch, 64 << 20).value();
}

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

}  // namespace

TEST_CASE("a VM comes back with its disk, NVRAM, vTPM, secret and definition",
          "[restore]") {
  RestoreScene scene;
  // Several small volumes: all of them are needed.
  const catalog::Snapshot snapshot =
      scene.back_up({.volume_size = archive::kMinChunkSize});
  const auto prepared = support::must(scene.prepare(snapshot));
  CAPTURE(support::blockers(prepared->plan()));
  REQUIRE_FALSE(prepared->plan().is_blocked());
  CHECK(scene.is_untouched());

  support::must(prepared->run({}));

  const fs::path target = scene.target.path();
  const fs::path state = target / "swtpm" / support::kVmUuid / "tpm2";
  CHECK(scene.files_on_target() ==
        std::set<std::string>{
            "images", "images/web.qcow2", "nvram", "nvram/web 01 é_VARS.fd", "swtpm",
            "swtpm/" + std::string(support::kVmUuid),
            "swtpm/" + std::string(support::kVmUuid) + "/tpm2",
            "swtpm/" + std::string(support::kVmUuid) + "/tpm2/tpm2-00.permall"});
  CHECK(base::read_file(target / "nvram/web 01 é_VARS.fd", 1 << 20).value() ==
        support::nvram_content());
  CHECK(base::read_file(state / "tpm2-00.permall", 1 << 20).value() ==
        support::swtpm_state(support::key_bytes()));
  CHECK(mode_of(state) == 0700);
  CHECK(mode_of(state / "tpm2-00.permall") == 0600);
  CHECK(guest_view(target / "images/web.qcow2", target / "view") ==
        support::disk_content());
  CHECK(scene.cluster.secrets.at(support::kSecretUuid) == support::key_bytes());
  CHECK(scene.cluster.usages.contains("web-vtpm"));
  const std::string xml = scene.cluster.defined.at(support::kVmUuid);
  CHECK(xml.find((target / "images/web.qcow2").string()) != std::string::npos);
  CHECK(xml.find("/srv/") == std::string::npos);
  CHECK(xml.find("/odd/") == std::string::npos);
  CHECK(scene.cluster.running.empty());
}

TEST_CASE("--start starts the VM when all is there", "[restore]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  scene.request.after = AfterRestore::kStart;
  const auto prepared = support::must(scene.prepare(snapshot));
  CHECK(prepared->plan().steps.back().action == "start");
  support::must(prepared->run({}));
  CHECK(scene.cluster.running.contains(support::kVmUuid));
}

TEST_CASE("--storage-dir takes the disks elsewhere", "[restore]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  fs::create_directory(scene.target.path() / "other");
  scene.request.storage_directory = scene.target.path() / "other/";
  support::must(support::must(scene.prepare(snapshot))->run({}));
  CHECK(fs::exists(scene.target.path() / "other/web.qcow2"));
}

TEST_CASE("a VM without a vTPM, or with an unencrypted one, comes back", "[restore]") {
  RestoreScene scene;
  SECTION("without") {
    const auto prepared =
        support::must(scene.prepare(scene.back_up({.key = {}, .has_vtpm = false})));
    CHECK(support::find_check(prepared->plan(), "vTPM")->detail == "the VM has none");
    support::must(prepared->run({}));
    CHECK(scene.cluster.defined.size() == 1);
    CHECK(scene.cluster.secrets.empty());
  }
  SECTION("unencrypted, with a warning") {
    const auto prepared = support::must(
        scene.prepare(scene.back_up({.state = support::swtpm_state({}), .key = {}})));
    CHECK(support::find_check(prepared->plan(), "vTPM")->state == CheckState::kWarn);
    support::must(prepared->run({}));
    CHECK(scene.cluster.defined.size() == 1);
    CHECK(scene.cluster.secrets.empty());
  }
}

TEST_CASE("a secret that is there with the same value is used", "[restore]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  scene.cluster.secrets[support::kSecretUuid] = support::key_bytes();
  scene.cluster.failing = "define_secret";
  const auto prepared = support::must(scene.prepare(snapshot));
  CHECK(prepared->plan().steps.front().action == "use");
  support::must(prepared->run({}));
  CHECK(scene.cluster.defined.size() == 1);

  SECTION("and stays when a later step fails") {
    RestoreScene other;
    const catalog::Snapshot again = other.back_up({});
    other.cluster.secrets[support::kSecretUuid] = support::key_bytes();
    other.cluster.failing = "define";
    CHECK_FALSE(support::must(other.prepare(again))->run({}));
    CHECK(other.cluster.secrets.contains(support::kSecretUuid));
  }
}

}  // namespace sealift::restore
