// Key JSONs generated for the project, which lie beside the repository and not in it.
#include <cstdio>
#include <filesystem>

#include "base/filesystem.h"
#include "keyvault/key_fit.h"
#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"
#include "tests/support/hyperv_fixtures.h"

namespace sealift::keyvault {
namespace {

using base::ErrorCode;
namespace fs = std::filesystem;

const std::optional<fs::path>& found() {
  static const auto folder = support::hyperv_fixtures("moc-generated");
  return folder;
}
bool is_there() { return found().has_value(); }
const fs::path& folder() { return found().value(); }
fs::path exported() { return folder() / "root/20250722192116"; }

base::Result<KeyJson> parse(const fs::path& path) {
  return parse_key_json(base::read_file(path, 1048576).value());
}

RecoveryKey identity() {
  return RecoveryKey::load(folder() / "private.pem", {}).value();
}

// The key of VM 7fb16fe7-..., which keys.json of the .vmgs fixtures also names.
std::string vm_key() {
  const base::Json keys =
      base::parse_strict_json(
          vectors::read_text(
              (folder().parent_path() / "vmgs-generated/keys.json").string()))
          .value();
  return vectors::text(keys.at("tvm-gspkey-identity"), "moc_key_hex");
}

}  // namespace

TEST_CASE("every exported key of the fixtures opens", "[keyvault][fixture]") {
  if (!is_there()) return;
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(exported())) {
    if (entry.path().extension() != ".json") continue;
    CAPTURE(entry.path().string());
    const auto json = parse(entry.path());
    REQUIRE(json);
    const auto key = unwrap_protection_key(json.value(), identity());
    REQUIRE(key);
    const ExpectedKey expected =
        expected_key(entry.path().stem().string(), json.value());
    CHECK(check_wrapped_key(json.value(), identity().recipient(), expected));
    CHECK(check_opened_key(key->key, expected));
    ++count;
  }
  CHECK(count == 3);
  std::printf("MOC fixtures: %zu exported keys opened\n", count);
}

TEST_CASE("the VM's key of the fixtures is the one its .vmgs names",
          "[keyvault][fixture]") {
  if (!is_there()) return;
  const auto json =
      parse(exported() / "AES/7fb16fe7-00a0-476f-92b3-ccb98fd9525a_256.json");
  const auto key = unwrap_protection_key(json.value(), identity());
  REQUIRE(key);
  CHECK(key->hash == OaepHash::kSha1);
  CHECK(base::to_hex(key->key.view()) == vm_key());
}

TEST_CASE("every variant of the fixtures is tolerated", "[keyvault][fixture]") {
  if (!is_there()) return;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder() / "variants")) {
    CAPTURE(entry.path().string());
    const auto json = parse(entry.path());
    REQUIRE(json);
    const auto key = unwrap_protection_key(json.value(), identity());
    REQUIRE(key);
    CHECK(key->key.size() == 32);
    ++count;
  }
  CHECK(count == 3);
}

TEST_CASE("the SHA-256 variant of the fixtures is recognised", "[keyvault][fixture]") {
  if (!is_there()) return;
  const auto json = parse(folder() / "variants/oaep-sha256-same-enc_256.json");
  const auto key = unwrap_protection_key(json.value(), identity());
  REQUIRE(key);
  CHECK(key->hash == OaepHash::kSha256);
}

TEST_CASE("every bad key JSON of the fixtures is refused", "[keyvault][fixture]") {
  if (!is_there()) return;
  const auto opens = [](const char* name) {
    const auto json = parse(folder() / "bad" / name);
    REQUIRE(json);
    const auto key = unwrap_protection_key(json.value(), identity());
    return key ? ErrorCode::kUsage : key.error().code();
  };
  SECTION("a flipped bit") {
    CHECK(opens("flipped-kwp-bit_256.json") == ErrorCode::kWrongKey);
  }
  SECTION("a truncated key") {
    CHECK(opens("truncated-blob_256.json") == ErrorCode::kWrongKey);
  }
  SECTION("a truncated key, by its length") {
    const KeyJson json = parse(folder() / "bad/truncated-blob_256.json").value();
    CHECK_FALSE(check_wrapped_key(json, wrapping_key_of(json).value(),
                                  expected_key("truncated-blob_256", json)));
  }
  SECTION("wrapped to another key") {
    CHECK(opens("wrapped-for-other-key_256.json") == ErrorCode::kWrongKey);
  }
  SECTION("no wrapping info") {
    CHECK(parse(folder() / "bad/no-wrapping-info_256.json").error().code() ==
          ErrorCode::kCorrupt);
  }
  SECTION("an unknown enc") {
    CHECK(parse(folder() / "bad/unknown-enc_256.json").error().code() ==
          ErrorCode::kUnsupported);
  }
}

TEST_CASE("the fixtures' public key, PKCS#1 with CRLF, is the private key's half",
          "[keyvault][fixture]") {
  if (!is_there()) return;
  const auto pem = base::read_file(folder() / "public.pem", 65536);
  CHECK(Recipient::parse_pem(pem.value())->id() == identity().recipient().id());
}

}  // namespace sealift::keyvault
