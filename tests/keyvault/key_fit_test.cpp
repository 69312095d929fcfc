#include "keyvault/key_fit.h"

#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"
#include "tests/support/must_run.h"
#include "tests/support/scratch_folder.h"

namespace sealift::keyvault {

namespace {

const RecoveryKey& identity() {
  static const auto key =
      RecoveryKey::load(vectors::path_of("recovery-key.pem"), {}).value();
  return key;
}

KeyJson wrapped(std::size_t size,
                const std::string& encoding = "CKM_RSA_AES_KEY_WRAP") {
  const Secret key = Secret::copy_of(base::Bytes(size, std::byte{7})).value();
  const std::string text = wrap_protection_key(key, identity().recipient()).value();
  KeyJson json = parse_key_json(base::as_bytes(text)).value();
  json.encoding = encoding;
  return json;
}

// The rule that is broken, or nothing.
std::string rule_of(const base::Status& status) {
  if (status) return "";
  CHECK(status.error().code() == base::ErrorCode::kCorrupt);
  CHECK(status.error().next_steps().size() == 1);
  return status.error().places().front().name;
}

std::string check(const KeyJson& json, const std::string& stem) {
  return rule_of(
      check_wrapped_key(json, identity().recipient(), expected_key(stem, json)));
}

// A private key as a key vault may wrap it.
Secret rsa_key(unsigned bits, bool is_pkcs1) {
  const support::ScratchFolder scratch;
  const std::string file = (scratch.path() / "key").string();
  support::must_run({"openssl", "genrsa", "-out", file, std::to_string(bits)});
  const std::string der = file + ".der";
  std::vector<std::string> words{"openssl",  "rsa", "-in",  file,
                                 "-outform", "DER", "-out", der};
  if (is_pkcs1) {
    words.emplace_back("-traditional");
  } else {
    words = {"openssl", "pkcs8",    "-topk8", "-nocrypt", "-in",
             file,      "-outform", "DER",    "-out",     der};
  }
  support::must_run(words);
  return Secret::copy_of(base::read_file(der, 65536).value()).value();
}

}  // namespace

TEST_CASE("a file's name says how many bits its key has", "[keyvault]") {
  CHECK(read_key_file_name("a_b_4096").name == "a_b");
  CHECK(read_key_file_name("a_b_4096").bits == 4096);
  CHECK(read_key_file_name("a_b").bits == 0);
  CHECK(read_key_file_name("a_").bits == 0);
  CHECK(expected_key("x_256", wrapped(32)).kind == KeyKind::kAes256);
  CHECK(expected_key("x_3072", wrapped(32)).bits == 3072);
  CHECK(expected_key("AzureStackTvmAKRootKey", wrapped(32)).bits == 4096);
  CHECK(expected_key("protection-key", wrapped(32)).kind == KeyKind::kVault);
  CHECK(expected_key("protection-key", wrapped(32, "RSA_AES_KEY_WRAP_256")).kind ==
        KeyKind::kAny);
}

TEST_CASE("a wrapped key that is cut off is known by its length", "[keyvault]") {
  const std::size_t modulus = identity().recipient().modulus_size();
  KeyJson json = wrapped(32);
  CHECK(check(json, "key").empty());
  CHECK(wrapped_size(json, identity().recipient()) == 40);
  const auto size = GENERATE_COPY(std::size_t{1}, modulus - 1, modulus, modulus + 8,
                                  modulus + 39, modulus + 17);
  json.wrapped.resize(size);
  CHECK(check(json, "key") == "J8");
  CHECK(check(json, "key_256") == "J8");
}

TEST_CASE("a wrapped key has the length that its name or its vault implies",
          "[keyvault]") {
  CHECK(check(wrapped(32), "a_256").empty());
  CHECK(check(wrapped(24), "a_256") == "J9");
  CHECK(check(wrapped(33), "a_256") == "J9");
  CHECK(check(wrapped(24), "a") == "J9");
  CHECK(check(wrapped(24, "RSA_AES_KEY_WRAP_256"), "a").empty());
  CHECK(check(wrapped(2370), "root_4096").empty());
  CHECK(check(wrapped(2370), "a").empty());
  CHECK(check(wrapped(1200), "root_4096") == "J9");
  CHECK(check(wrapped(32), "root_4096") == "J9");
}

TEST_CASE("an opened key is what it should be", "[keyvault]") {
  const auto opened = [](std::size_t size, const ExpectedKey& expected) {
    return rule_of(check_opened_key(
        Secret::copy_of(base::Bytes(size, std::byte{7})).value(), expected));
  };
  CHECK(opened(31, {KeyKind::kAny, 0}).empty());
  CHECK(opened(32, {KeyKind::kAes256, 0}).empty());
  CHECK(opened(31, {KeyKind::kAes256, 0}) == "J9");
  CHECK(opened(32, {KeyKind::kVault, 0}).empty());
  CHECK(opened(31, {KeyKind::kVault, 0}) == "J9");
  CHECK(opened(2370, {KeyKind::kRsa, 4096}) == "J9");
  CHECK(opened(2370, {KeyKind::kVault, 0}) == "J9");
  const bool is_pkcs1 = GENERATE(false, true);
  const Secret key = rsa_key(2048, is_pkcs1);
  CHECK(rule_of(check_opened_key(key, {KeyKind::kRsa, 2048})).empty());
  CHECK(rule_of(check_opened_key(key, {KeyKind::kVault, 0})).empty());
  const base::Status other = check_opened_key(key, {KeyKind::kRsa, 4096});
  REQUIRE_FALSE(other);
  CHECK(other.error().what().find("an RSA key of 2048 bits") != std::string::npos);
  const Secret cut = Secret::copy_of(key.view().first(key.size() - 1)).value();
  CHECK(rule_of(check_opened_key(cut, {KeyKind::kRsa, 2048})) == "J9");
}

}  // namespace sealift::keyvault
