// Whatever step of a restore fails, nothing of it is left.
#include "tests/restore/restore_fixture.h"
#include "tests/support/failing_filesystem.h"

namespace sealift::restore {

namespace {

using support::RestoreScene;

std::string last_step(const base::Error& error) {
  return error.next_steps().empty() ? "" : error.next_steps().back();
}

constexpr const char* kNothingLeft =
    "nothing was left behind; when the cause is gone, run the restore again";

// Writing fails from a step on; removing what was made still works.
class FullDisk final : public base::Filesystem {
 public:
  explicit FullDisk(std::size_t failing_step) : failing_(failing_step) {}
  bool has_failed() const { return failing_.has_failed(); }

  base::Result<std::unique_ptr<base::NewFile>> create(const std::filesystem::path& path,
                                                      mode_t mode) override {
    return failing_.create(path, mode);
  }
  base::Status replace(const std::filesystem::path& path, base::ByteView bytes,
                       mode_t mode) override {
    return failing_.replace(path, bytes, mode);
  }
  base::Status create_directories(const std::filesystem::path& path,
                                  mode_t mode) override {
    return failing_.create_directories(path, mode);
  }
  base::Status remove(const std::filesystem::path& path) override {
    return base::real_filesystem().remove(path);
  }

 private:
  support::FailingFilesystem failing_;
};

}  // namespace

TEST_CASE("when libvirt refuses a step, nothing is left", "[restore][faults]") {
  const std::string failing = GENERATE("define_secret", "define", "start");
  CAPTURE(failing);
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  scene.request.after = AfterRestore::kStart;
  const auto prepared = support::must(scene.prepare(snapshot));
  scene.cluster.failing = failing;

  const base::Status status = prepared->run({});

  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kHypervisor);
  CHECK(last_step(status.error()) == kNothingLeft);
  CHECK(scene.is_untouched());
}

TEST_CASE("when a file cannot be written, nothing is left", "[restore][faults]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  bool has_failed = true;
  std::size_t step = 0;
  for (; has_failed; ++step) {
    CAPTURE(step);
    FullDisk full(step);
    const auto prepared = support::must(scene.prepare(snapshot, 0, full));
    const base::Status status = prepared->run({});
    has_failed = full.has_failed();
    REQUIRE(static_cast<bool>(status) != has_failed);
    if (status) continue;
    CHECK(status.error().code() == base::ErrorCode::kIo);
    CHECK(last_step(status.error()) == kNothingLeft);
    CHECK(scene.is_untouched());
  }
  CHECK(step >= 6);
}

TEST_CASE("when the restore is stopped at any point, nothing is left",
          "[restore][faults]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  scene.request.after = AfterRestore::kStart;
  std::size_t told = 0;
  std::size_t stop_at = 0;
  std::stop_source stop;
  scene.progress = [&](const std::string&) {
    if (told++ == stop_at) stop.request_stop();
  };
  std::size_t stopped = 0;
  for (; stop_at < 6; ++stop_at) {
    CAPTURE(stop_at);
    told = 0;
    stop = std::stop_source();
    const auto prepared = support::must(scene.prepare(snapshot));
    told = 0;
    stop = std::stop_source();
    const base::Status status = prepared->run(stop.get_token());
    if (status) break;
    ++stopped;
    CHECK(status.error().code() == base::ErrorCode::kInterrupted);
    CHECK(last_step(status.error()) == kNothingLeft);
    CHECK(scene.is_untouched());
  }
  // Secret, NVRAM, vTPM state, disk, definition; in the last one, starting, it is over.
  CHECK(stopped == 5);
  CHECK(scene.cluster.running.size() == 1);
}

TEST_CASE("damage found while restoring undoes the restore", "[restore][faults]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  const auto prepared = support::must(scene.prepare(snapshot));
  // The volume goes away between plan and run: storage can do that.
  std::filesystem::remove(scene.volumes().front());
  const base::Status status = prepared->run({});
  REQUIRE_FALSE(status);
  CHECK(last_step(status.error()) ==
        "nothing was left behind; bring a good copy of the volume, or restore another "
        "snapshot");
  CHECK(scene.is_untouched());
}

TEST_CASE("a file that came to be since the plan is not overwritten",
          "[restore][faults]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  const auto prepared = support::must(scene.prepare(snapshot));
  const std::string there = GENERATE("images/web.qcow2", "nvram/web 01 é_VARS.fd");
  std::filesystem::create_directories((scene.target.path() / there).parent_path());
  support::overwrite(scene.target.path() / there, "precious");
  CHECK_FALSE(prepared->run({}));
  CHECK(support::contents(scene.target.path() / there) == "precious");
  CHECK(scene.cluster.secrets.empty());
}

TEST_CASE("what cannot be removed again is named", "[restore][faults]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  struct Stubborn final : restore::Target {
    explicit Stubborn(support::Cluster& cluster) : fake(cluster) {}
    support::FakeTarget fake;
    base::Result<vm::TargetHost> survey() override { return fake.survey(); }
    base::Result<vm::SecretOnTarget> compare_secret(
        const vm::VtpmSecret& secret) override {
      return fake.compare_secret(secret);
    }
    base::Status define_secret(const vm::VtpmSecret& secret) override {
      return fake.define_secret(secret);
    }
    base::Status undefine_secret(const base::Uuid&) override {
      return base::Error(base::ErrorCode::kHypervisor, "cannot remove the secret")
          .because("Cannot write data: broken pipe");
    }
    base::Status define(const base::Uuid&, const std::string&) override {
      return base::Error(base::ErrorCode::kHypervisor, "libvirt refuses");
    }
    base::Status undefine(const base::Uuid& uuid) override {
      return fake.undefine(uuid);
    }
    base::Status start(const base::Uuid& uuid) override { return fake.start(uuid); }
  };
  scene.request.snapshot = snapshot;
  const auto prepared = support::must(prepare_restore_on(
      std::make_unique<Stubborn>(scene.cluster), base::real_filesystem(),
      scene.environment(), scene.request, {}));
  const base::Status status = prepared->run({});
  REQUIRE_FALSE(status);
  CHECK(last_step(status.error()) ==
        "left behind, remove it: secret 5ec2e700-0000-4000-8000-000000000001 (Cannot "
        "write data: broken pipe)");
  CHECK(scene.files_on_target() == std::set<std::string>{"images"});
}

}  // namespace sealift::restore
