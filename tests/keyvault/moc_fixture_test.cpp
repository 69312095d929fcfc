// Key JSONs generated for the project, which lie beside the repository and not in it.
#include <cstdio>
#include <filesystem>

#include "base/filesystem.h"
#include "keyvault/protection_key.h"
#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"

namespace sealift::keyvault {
namespace {

using base::ErrorCode;
namespace fs = std::filesystem;

const fs::path kFolder =
    fs::path(SEALIFT_SOURCE_DIR).parent_path() / "shared/fixtures/moc-generated";
const fs::path kExport = kFolder / "root/20250722192116";

bool is_there() {
  if (fs::exists(kFolder)) return true;
  WARN("the generated MOC fixtures are not there: nothing was tested");
  return false;
}

base::Result<KeyJson> parse(const fs::path& path) {
  return parse_key_json(base::read_file(path, 1048576).value());
}

RecoveryKey identity() {
  return RecoveryKey::load(kFolder / "private.pem", {}).value();
}

// The key of VM 7fb16fe7-..., which keys.json of the .vmgs fixtures also names.
std::string vm_key() {
  const base::Json keys =
      base::parse_strict_json(
          vectors::read_text(
              (kFolder.parent_path() / "vmgs-generated/keys.json").string()))
          .value();
  return vectors::text(keys.at("tvm-gspkey-identity"), "moc_key_hex");
}

}  // namespace

TEST_CASE("every exported key of the fixtures opens", "[keyvault][fixture]") {
  if (!is_there()) return;
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kExport)) {
    if (entry.path().extension() != ".json") continue;
    CAPTURE(entry.path().string());
    const auto json = parse(entry.path());
    REQUIRE(json);
    const auto key = unwrap_protection_key(json.value(), identity());
    REQUIRE(key);
    if (entry.path().parent_path().filename() == "AES") CHECK(key->key.size() == 32);
    ++count;
  }
  CHECK(count == 3);
  std::printf("MOC fixtures: %zu exported keys opened\n", count);
}

TEST_CASE("the VM's key of the fixtures is the one its .vmgs names",
          "[keyvault][fixture]") {
  if (!is_there()) return;
  const auto json =
      parse(kExport / "AES/7fb16fe7-00a0-476f-92b3-ccb98fd9525a_256.json");
  const auto key = unwrap_protection_key(json.value(), identity());
  REQUIRE(key);
  CHECK(key->hash == OaepHash::kSha1);
  CHECK(base::to_hex(key->key.view()) == vm_key());
}

TEST_CASE("every variant of the fixtures is tolerated", "[keyvault][fixture]") {
  if (!is_there()) return;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(kFolder / "variants")) {
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
  const auto json = parse(kFolder / "variants/oaep-sha256-same-enc_256.json");
  const auto key = unwrap_protection_key(json.value(), identity());
  REQUIRE(key);
  CHECK(key->hash == OaepHash::kSha256);
}

TEST_CASE("every bad key JSON of the fixtures is refused", "[keyvault][fixture]") {
  if (!is_there()) return;
  const auto opens = [](const char* name) {
    const auto json = parse(kFolder / "bad" / name);
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
  SECTION("wrapped to another key") {
    CHECK(opens("wrapped-for-other-key_256.json") == ErrorCode::kWrongKey);
  }
  SECTION("no wrapping info") {
    CHECK(parse(kFolder / "bad/no-wrapping-info_256.json").error().code() ==
          ErrorCode::kCorrupt);
  }
  SECTION("an unknown enc") {
    CHECK(parse(kFolder / "bad/unknown-enc_256.json").error().code() ==
          ErrorCode::kUnsupported);
  }
}

TEST_CASE("the fixtures' public key, PKCS#1 with CRLF, is the private key's half",
          "[keyvault][fixture]") {
  if (!is_there()) return;
  const auto pem = base::read_file(kFolder / "public.pem", 65536);
  CHECK(Recipient::parse_pem(pem.value())->id() == identity().recipient().id());
}

}  // namespace sealift::keyvault
