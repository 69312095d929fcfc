// What Azure Local's key vault exported, told apart by the names of its files.
#include "backup/exported_keys.h"

#include <array>
#include <fstream>
#include <functional>

#include "base/byte_count.h"
#include "base/filesystem.h"
#include "keyvault/recovery_key.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

constexpr const char* kVm = "7fb16fe7-00a0-476f-92b3-ccb98fd9525a";
constexpr const char* kOther = "8fb16fe7-00a0-476f-92b3-ccb98fd9525a";

const keyvault::RecoveryKey& recovery_key(std::size_t number) {
  static const std::array keys{keyvault::RecoveryKey::generate(3072).value(),
                               keyvault::RecoveryKey::generate(2048).value(),
                               keyvault::RecoveryKey::generate(2048).value()};
  return keys.at(number);
}

archive::RepositoryDocument repository() {
  archive::RepositoryDocument document;
  document.recipients = {recovery_key(0).recipient()};
  document.key_recipients = {recovery_key(1).recipient()};
  return document;
}

class KeyScene {
 public:
  /// A key of `size` bytes, wrapped to the recovery key of this number.
  void write(const std::string& name, std::size_t to = 1, std::size_t size = 32) {
    const auto key = keyvault::Secret::copy_of(base::Bytes(size, std::byte{7})).value();
    text(name,
         keyvault::wrap_protection_key(key, recovery_key(to).recipient()).value());
  }
  void text(const std::string& name, const std::string& content) {
    fs::create_directories(path(name).parent_path());
    std::ofstream(path(name), std::ios::binary) << content;
  }
  fs::path path(const std::string& name) const { return scratch_.path() / name; }

  std::vector<ExportedKey> read() const {
    return read_exported_keys({scratch_.path()}).value();
  }
  base::Result<ChosenKeys> choose() const {
    return choose_keys(read(), kVm, repository());
  }

 private:
  support::ScratchFolder scratch_;
};

}  // namespace

TEST_CASE("a key is named by its file", "[backup]") {
  KeyScene scene;
  const auto named = [&](const std::string& name) {
    scene.write(name);
    return read_exported_keys({scene.path(name)}).value().front();
  };
  const ExportedKey key =
      named("20250722192116/AES/7FB16FE7-00A0-476F-92B3-CCB98FD9525A_256.json");
  CHECK(key.name == kVm);
  CHECK(key.size == 256);
  CHECK(key.exported == "20250722192116");
  // The folder nearest to the file is the export's.
  CHECK(named("20010101000000/20250722192116/AES/a.json").exported == "20250722192116");
  CHECK(key.is_named);
  CHECK_FALSE(key.refused);
  CHECK(is_key_of(key, kVm));
  CHECK_FALSE(is_key_of(key, kOther));
  CHECK(named(std::string(kVm) + ".json").name == kVm);
  CHECK(named("a_b_4096.json").name == "a_b");
  CHECK(named("a_b.json").name == "a_b");
  CHECK(is_other_key(named("wrapping_2048.json")));
  CHECK_FALSE(is_other_key(named("AzureStackTvmAKRootKey_4096.json")));
}

TEST_CASE("the newest key for each recipient is taken", "[backup]") {
  KeyScene scene;
  const std::string name = std::string("AES/") + kVm + "_256.json";
  scene.write("20250722192116/" + name, 1);
  scene.write("20250101000000/" + name, 1);
  scene.write("20240101000000/" + name, 0);
  scene.write("20250722192116/AES/" + std::string(kOther) + "_256.json", 2);
  scene.write("20250722192116/RSA/AzureStackTvmAKRootKey_4096.json", 1, 2370);
  scene.write("20250722192116/RSA/left_2048.json", 1, 1200);
  scene.text("20250722192116/notes.json", "{}");
  const ChosenKeys chosen = scene.choose().value();
  REQUIRE(chosen.files.size() == 3);
  CHECK(chosen.has_vm_key);
  CHECK(chosen.files[0].entry.member == "protection-key.json");
  CHECK(chosen.files[0].entry.key_name == kVm);
  CHECK(chosen.files[0].entry.usage == "guest-state");
  const base::Bytes newest =
      base::read_file(scene.path("20250722192116/" + name), base::kMiB).value();
  // Recipients of archives come first.
  CHECK(chosen.files[0].entry.recipient == recovery_key(0).recipient().id());
  CHECK(chosen.files[1].entry.recipient == recovery_key(1).recipient().id());
  CHECK(chosen.files[1].text == base::as_text(newest));
  CHECK(chosen.files[2].entry.key_name == kAttestationRootKey);
  CHECK(chosen.files[2].entry.usage == "attestation-root");
  CHECK(chosen.warnings.size() == 1);
}

TEST_CASE("what the operator names comes first, and two alike are none", "[backup]") {
  KeyScene scene;
  const std::string file = std::string(kVm) + "_256.json";
  scene.write("20250722192116/" + file, 1);
  scene.write("named/" + file, 1);
  auto keys = read_exported_keys({scene.path("20250722192116")}).value();
  keys.push_back(read_exported_keys({scene.path("named/" + file)}).value().front());
  CHECK(choose_keys(keys, kVm, repository()).value().files.front().text ==
        keys.back().text);
  // Without names and dates nothing says which is newer.
  for (ExportedKey& key : keys) {
    key.is_named = false;
    key.exported.clear();
  }
  const auto chosen = choose_keys(keys, kVm, repository());
  REQUIRE_FALSE(chosen);
  CHECK(chosen.error().what() ==
        "there are two keys of the VM, and nothing says which is newer");
  keys.front().text = keys.back().text;
  CHECK(choose_keys(keys, kVm, repository()));
}

TEST_CASE("what lies in the export comes before what lies in folders", "[backup]") {
  KeyScene scene;
  const std::string file = std::string("AES/") + kVm + "_256.json";
  scene.write("export/Keys/1/" + file);
  scene.write("keys/20250722192116/" + file);
  const auto own = read_keys_in_export({scene.path("export/Keys/1/" + file)});
  CHECK_FALSE(own.front().is_named);
  auto keys = read_exported_keys({scene.path("keys")}).value();
  keys.insert(keys.end(), own.begin(), own.end());
  CHECK(choose_keys(keys, kVm, repository()).value().files.front().text ==
        own.front().text);
  // A bad one there is not mended by an older one.
  scene.write("export/Keys/1/" + file, 2);
  keys.back() = read_keys_in_export({scene.path("export/Keys/1/" + file)}).front();
  CHECK_FALSE(choose_keys(keys, kVm, repository()));
  // A good one beside it is of the same export.
  scene.write("export/Keys/2/" + file);
  keys.push_back(read_keys_in_export({scene.path("export/Keys/2/" + file)}).front());
  CHECK(choose_keys(keys, kVm, repository()).value().files.front().text ==
        keys.back().text);
}

TEST_CASE("a key that is named must be the one in the export", "[backup]") {
  KeyScene scene;
  const std::string file = std::string(kVm) + "_256.json";
  scene.write("export/" + file);
  scene.write("named/" + file);
  auto keys = read_keys_in_export({scene.path("export/" + file)});
  keys.push_back(read_exported_keys({scene.path("named/" + file)}).value().front());
  const auto chosen = choose_keys(keys, kVm, repository());
  REQUIRE_FALSE(chosen);
  CHECK(chosen.error().what() ==
        "the protection key that is named is another than the one in the export");
  std::vector<std::string> places;
  for (const auto& place : chosen.error().places()) places.push_back(place.name);
  CHECK(places == std::vector<std::string>{scene.path("export/" + file).string(),
                                           scene.path("named/" + file).string()});
  keys.back().text = keys.front().text;
  CHECK(choose_keys(keys, kVm, repository()));
  // For another recipient it contradicts nothing.
  scene.write("named/" + file, 0);
  keys.back() = read_exported_keys({scene.path("named/" + file)}).value().front();
  CHECK(choose_keys(keys, kVm, repository()).value().files.size() == 2);
  // One that is named is meant: of no use, it is refused.
  scene.write("named/" + file, 2);
  keys.back() = read_exported_keys({scene.path("named/" + file)}).value().front();
  CHECK_FALSE(choose_keys(keys, kVm, repository()));
}

TEST_CASE("a key with a date is not newer than one without", "[backup]") {
  KeyScene scene;
  const std::string file = std::string(kVm) + "_256.json";
  scene.write("20250722192116/" + file);
  scene.write("undated/" + file);
  const auto chosen = scene.choose();
  REQUIRE_FALSE(chosen);
  CHECK(chosen.error().places().size() == 2);
  // A copy of it is no other key.
  scene.text("undated/" + file, scene.read().front().text);
  CHECK(scene.choose());
}

TEST_CASE("an old key of no use does no harm", "[backup]") {
  KeyScene scene;
  const std::string file = std::string(kVm) + "_256.json";
  scene.write("20240101000000/" + file, 2);
  scene.write("20250101000000/" + file, 1);
  scene.write("20240101000000/AzureStackTvmAKRootKey.json", 2, 2370);
  const ChosenKeys chosen = scene.choose().value();
  CHECK(chosen.files.size() == 1);
  REQUIRE(chosen.warnings.size() == 1);
  CHECK_THAT(chosen.warnings.front(), Catch::Matchers::Contains("is of no use"));
  scene.write("20260101000000/" + file, 2);
  CHECK_FALSE(scene.choose());
}

TEST_CASE("a key of the VM that is of no use is refused", "[backup]") {
  const auto refusal = [](const std::function<void(KeyScene&, std::string)>& write) {
    KeyScene scene;
    scene.write(std::string(kOther) + "_256.json");
    write(scene, std::string(kVm) + "_256.json");
    const auto chosen = scene.choose();
    REQUIRE_FALSE(chosen);
    CHECK(chosen.error().code() == base::ErrorCode::kRefused);
    CHECK(chosen.error().places().back().name.ends_with("_256.json"));
    return chosen.error().what();
  };
  CHECK(
      refusal([](KeyScene& scene, const std::string& name) { scene.write(name, 2); }) ==
      "the protection key is wrapped to a key that is no recipient of the "
      "repository");
  CHECK(refusal([](KeyScene& scene, const std::string& name) {
          scene.write(name, 1, 24);
        }) == "it is no wrapped key of 256 bits: it has 288 bytes, not 296");
  CHECK_THAT(refusal([](KeyScene& scene, const std::string& name) {
               scene.text(name,
                          R"({"public-key": "AA==", "private-key": "AA==",
                           "private-key-wrapping-info": {"key-name": "",
                           "public-key": "", "enc": "NO_KEY_WRAP"}})");
             }),
             Catch::Matchers::Contains("plain"));
  KeyScene none;
  none.write(std::string(kOther) + "_256.json");
  const ChosenKeys chosen = none.choose().value();
  CHECK_FALSE(chosen.has_vm_key);
  CHECK(chosen.files.empty());
  CHECK(read_exported_keys({none.path("not there")}).error().code() ==
        base::ErrorCode::kNotFound);
}

}  // namespace sealift::backup
