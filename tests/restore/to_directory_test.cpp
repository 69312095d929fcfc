#include <sys/stat.h>

#include "tests/restore/restore_fixture.h"

namespace sealift::restore {

namespace {

namespace fs = std::filesystem;
using support::RestoreScene;

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

base::Bytes read(const fs::path& path) {
  return base::read_file(path, 64 << 20).value();
}

}  // namespace

TEST_CASE("a folder gets the VM's files and nothing else", "[restore][directory]") {
  RestoreScene scene;
  const support::VmSnapshot vm;
  const catalog::Snapshot snapshot = scene.back_up(vm);
  const fs::path folder = scene.target.path() / "new/files";

  support::must(restore_to_directory(scene.environment(), {snapshot, folder, {}}, {}));

  CHECK(names_in(folder) == std::set<std::string>{"vda.raw", "domain.xml",
                                                  "web_VARS.fd", "tpm2-00.permall",
                                                  "protection-key.json"});
  CHECK(read(folder / "vda.raw") == support::disk_content());
  CHECK(base::as_text(read(folder / "domain.xml")) == support::domain_xml(vm));
  CHECK(read(folder / "web_VARS.fd") == support::nvram_content());
  CHECK(read(folder / "tpm2-00.permall") == vm.state);

  const auto json =
      support::must(keyvault::parse_key_json(read(folder / "protection-key.json")));
  const auto key =
      support::must(keyvault::unwrap_protection_key(json, support::recovery_key(0)));
  CHECK(keyvault::is_same(key.key.view(), vm.key));

  struct stat status {};
  REQUIRE(::stat((folder / "vda.raw").c_str(), &status) == 0);
  CHECK(static_cast<std::uint64_t>(status.st_blocks) * 512 <
        5 * archive::kMinChunkSize);
  CHECK((status.st_mode & 0777U) == 0600);
}

TEST_CASE("a folder that is not empty is left as it is", "[restore][directory]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  const fs::path folder = scene.target.path() / "images";
  support::overwrite(folder / "precious", "precious");
  const base::Status status =
      restore_to_directory(scene.environment(), {snapshot, folder, {}}, {});
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kRefused);
  CHECK(names_in(folder) == std::set<std::string>{"precious"});
}

TEST_CASE("when it is stopped, the folder is left as it was", "[restore][directory]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  const bool is_there = GENERATE(true, false);
  const std::string at = GENERATE("domain.xml", "vda.raw", "tpm2-00.permall");
  CAPTURE(is_there, at);
  const fs::path folder = scene.target.path() / "files";
  if (is_there) fs::create_directory(folder);
  std::stop_source stop;
  scene.progress = [&](const std::string& words) {
    if (words.find(at) != std::string::npos) stop.request_stop();
  };
  const base::Status status = restore_to_directory(
      scene.environment(), {snapshot, folder, {}}, stop.get_token());
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kInterrupted);
  CHECK(fs::exists(folder) == is_there);
  if (is_there) CHECK(fs::is_empty(folder));
}

TEST_CASE("keys of libvirt are not wrapped to a cluster", "[restore][directory]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  const fs::path folder = scene.target.path() / "files";
  const WrapTarget wrap{support::recovery_key(1).recipient(),
                        "",
                        "",
                        {&support::recovery_key(0), "key.pem"}};
  const base::Status status =
      restore_to_directory(scene.environment(), {snapshot, folder, wrap}, {});
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kRefused);
  CHECK_FALSE(fs::exists(folder));
}

TEST_CASE("a wrong recovery key writes nothing", "[restore][directory]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  const fs::path folder = scene.target.path() / "files";
  CHECK(restore_to_directory(scene.environment(1), {snapshot, folder, {}}, {})
            .error()
            .code() == base::ErrorCode::kWrongKey);
  CHECK_FALSE(fs::exists(folder));
}

}  // namespace sealift::restore
