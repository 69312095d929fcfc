#include "keyvault/protection_key.h"

#include <fstream>

#include "base/strict_json.h"
#include "base/subprocess.h"
#include "keyvault/base64url.h"
#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::keyvault {
namespace {

using base::ErrorCode;
using vectors::secret_of;

RecoveryKey load(const std::string& name) {
  return RecoveryKey::load(vectors::path_of(name), {}).value();
}

std::string wrapped_key_json() {
  return wrap_protection_key(secret_of("protect"), load("recovery-key.pem").recipient())
      .value();
}

// The key JSON with one piece of text replaced by another.
std::string with(std::string json, std::string_view old_text,
                 std::string_view new_text) {
  const std::size_t place = json.find(old_text);
  REQUIRE(place != std::string::npos);
  return json.replace(place, old_text.size(), new_text);
}

// The rule of docs/format/key-json.md that `text` breaks.
std::string rule_of(const std::string& text) {
  const auto json = parse_key_json(base::as_bytes(text));
  REQUIRE_FALSE(json);
  REQUIRE(json.error().places().front().kind == "rule");
  const std::string rule = json.error().places().front().name;
  const ErrorCode expected = rule == "J3"   ? ErrorCode::kRefused
                             : rule == "J4" ? ErrorCode::kUnsupported
                                            : ErrorCode::kCorrupt;
  CHECK(json.error().code() == expected);
  return rule;
}

std::string as_utf16(const std::string& text) {
  std::string wide = "\xff\xfe";
  for (const char c : text) wide += std::string{c, '\0'};
  return wide;
}

void write(const std::string& path, base::ByteView bytes) {
  std::ofstream(path, std::ios::binary) << base::as_text(bytes);
}

}  // namespace

TEST_CASE("a wrapped protection key has the members of Microsoft's SDK, in its order",
          "[keyvault][format]") {
  const std::string text = wrapped_key_json();
  const base::Json json = base::parse_strict_json(text).value();
  const Recipient recipient = load("recovery-key.pem").recipient();

  CHECK(text == R"({"public-key":"","private-key":")" +
                    vectors::text(json, "private-key") +
                    R"(","private-key-wrapping-info":{"key-name":"","public-key":")" +
                    to_base64url(recipient.pkcs1().value()) +
                    R"(","enc":"RSA_AES_KEY_WRAP_256"}})");
  // The modulus, and 7 bytes under AES-KWP.
  CHECK(from_base64url(vectors::text(json, "private-key"))->size() == 384 + 16);
}

TEST_CASE("a protection key of any size and any bytes comes back", "[keyvault]") {
  const std::size_t size =
      GENERATE(std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{32},
               std::size_t{33}, std::size_t{65536});
  const RecoveryKey identity = load("recovery-key.pem");
  Secret key = Secret::random(size).value();
  key.writable().front() = std::byte{0};
  key.writable().back() = std::byte{'\n'};

  const std::string text = wrap_protection_key(key, identity.recipient()).value();
  const KeyJson json = parse_key_json(base::as_bytes(text)).value();
  const auto unwrapped = unwrap_protection_key(json, identity);

  REQUIRE(unwrapped);
  CHECK(is_same(unwrapped->key.view(), key.view()));
  CHECK(unwrapped->hash == OaepHash::kSha256);
  CHECK(json.wrapping_key_pkcs1 == identity.recipient().pkcs1().value());
}

TEST_CASE("wrapping the same key twice gives two texts", "[keyvault]") {
  CHECK(wrapped_key_json() != wrapped_key_json());
}

TEST_CASE("another recovery key does not open a protection key", "[keyvault]") {
  const KeyJson json = parse_key_json(base::as_bytes(wrapped_key_json())).value();
  const auto unwrapped = unwrap_protection_key(json, load("other-recovery-key.pem"));
  REQUIRE_FALSE(unwrapped);
  CHECK(unwrapped.error().code() == ErrorCode::kWrongKey);
}

TEST_CASE("a wrapped protection key with any part damaged does not open",
          "[keyvault]") {
  const RecoveryKey identity = load("recovery-key.pem");
  const KeyJson good = parse_key_json(base::as_bytes(wrapped_key_json())).value();
  KeyJson bad = good;
  SECTION("a bit of the envelope") { bad.wrapped[10] ^= std::byte{1}; }
  SECTION("the first bit of the wrapped key") { bad.wrapped[384] ^= std::byte{0x80}; }
  SECTION("the last bit of the wrapped key") { bad.wrapped.back() ^= std::byte{1}; }
  SECTION("cut after the envelope") { bad.wrapped.resize(384); }
  SECTION("cut inside the envelope") { bad.wrapped.resize(200); }
  SECTION("a block is missing") { bad.wrapped.resize(bad.wrapped.size() - 8); }
  SECTION("a byte is missing") { bad.wrapped.resize(bad.wrapped.size() - 1); }
  SECTION("a block too many") { bad.wrapped.resize(bad.wrapped.size() + 8); }
  SECTION("nothing") { bad.wrapped.clear(); }
  CHECK(unwrap_protection_key(good, identity));
  const auto unwrapped = unwrap_protection_key(bad, identity);
  REQUIRE_FALSE(unwrapped);
  CHECK(unwrapped.error().places().front() == base::Error::Place{"rule", "J7"});
  CHECK(unwrapped.error().code() == ErrorCode::kWrongKey);
}

TEST_CASE("the hash that worked is found whatever enc implies", "[keyvault]") {
  const RecoveryKey identity = load("recovery-key.pem");
  const auto hash = GENERATE(OaepHash::kSha1, OaepHash::kSha256, OaepHash::kSha384);
  KeyJson json = parse_key_json(base::as_bytes(wrapped_key_json())).value();
  json.encoding = GENERATE(as<std::string>(), "CKM_RSA_AES_KEY_WRAP",
                           "RSA_AES_KEY_WRAP_256", "RSA_AES_KEY_WRAP_384");
  const base::Bytes envelope(json.wrapped.begin(), json.wrapped.begin() + 384);
  const Secret ephemeral = identity.decrypt(envelope, OaepHash::kSha256).value();
  const base::Bytes again =
      identity.recipient().encrypt(ephemeral.view(), hash).value();
  std::copy(again.begin(), again.end(), json.wrapped.begin());

  const auto unwrapped = unwrap_protection_key(json, identity);
  REQUIRE(unwrapped);
  CHECK(unwrapped->hash == hash);
  CHECK(base::as_text(unwrapped->key.view()) == "protect");
}

TEST_CASE("a key JSON is read as it is found in the field", "[keyvault]") {
  const std::string text = wrapped_key_json();
  const base::Bytes wrapped = parse_key_json(base::as_bytes(text))->wrapped;
  std::string found = text;
  SECTION("as written") {}
  SECTION("with a byte order mark") { found = "\xef\xbb\xbf" + text; }
  SECTION("as UTF-16") { found = as_utf16(text); }
  SECTION("with line ends") { found = with(text, ",", ",\r\n\t") + "\r\n"; }
  SECTION("with members that nobody knows") {
    found = with(text, "{", R"({"version":"1","later":{"a":[1]},)");
  }
  SECTION("with line ends inside the base64") {
    found = with(text, R"("private-key":")", R"("private-key":"\r\n)");
  }
  SECTION("with the wrapped key in the other field") {
    found = with(with(with(text, R"("public-key":"")", R"("swap":"")"), "private-key",
                      "public-key"),
                 "swap", "private-key");
  }
  const auto json = parse_key_json(base::as_bytes(found));
  REQUIRE(json);
  CHECK(json->wrapped == wrapped);
}

TEST_CASE("a named wrapping key is kept", "[keyvault]") {
  const std::string text =
      with(wrapped_key_json(), R"("key-name":"")", R"("key-name":"wrappingKey")");
  CHECK(parse_key_json(base::as_bytes(text))->wrapping_key_name == "wrappingKey");
}

TEST_CASE("a plaintext key in a key JSON is refused as exposed", "[keyvault]") {
  const auto json = parse_key_json(
      base::as_bytes(with(wrapped_key_json(), "RSA_AES_KEY_WRAP_256", "NO_KEY_WRAP")));
  REQUIRE_FALSE(json);
  CHECK(json.error().code() == ErrorCode::kRefused);
  CHECK(json.error().places().front().name == "J3");
  CHECK(json.error().next_steps().front().starts_with("treat that key as exposed"));
}

TEST_CASE("a key JSON wrapped in an unknown way is unsupported", "[keyvault]") {
  CHECK(rule_of(with(wrapped_key_json(), "RSA_AES_KEY_WRAP_256", "RSA_OAEP")) == "J4");
}

TEST_CASE("a key JSON that is none, or damaged, is refused", "[keyvault]") {
  const std::string text = wrapped_key_json();
  SECTION("nothing") { CHECK(rule_of("") == "J1"); }
  SECTION("words") { CHECK(rule_of("key") == "J1"); }
  SECTION("a number") { CHECK(rule_of("1") == "J2"); }
  SECTION("cut short") { CHECK(rule_of(text.substr(0, text.size() - 1)) == "J1"); }
  SECTION("something after it") { CHECK(rule_of(text + "{}") == "J1"); }
  SECTION("too long") { CHECK(rule_of(text + std::string(2000000, ' ')) == "J1"); }
  SECTION("half a unit of UTF-16") { CHECK(rule_of(as_utf16(text) + "x") == "J1"); }
  SECTION("a member that stands twice") {
    CHECK(rule_of(with(text, "{", R"({"private-key":"AAAA",)")) == "J1");
  }
  SECTION("without wrapping info") {
    CHECK(rule_of(with(text, "private-key-wrapping-info", "other")) == "J2");
  }
  SECTION("without private-key") {
    CHECK(rule_of(with(text, R"("private-key":)", R"("other":)")) == "J5");
  }
  SECTION("without public-key") {
    CHECK(rule_of(with(text, R"("public-key":"")", R"("other":"")")) == "J5");
  }
  SECTION("without key-name") {
    CHECK(rule_of(with(text, "key-name", "other")) == "J5");
  }
  SECTION("without enc") {
    CHECK(rule_of(with(text, R"("enc")", R"("other")")) == "J2");
  }
  SECTION("enc is a number") {
    CHECK(rule_of(with(text, R"("RSA_AES_KEY_WRAP_256")", "1")) == "J2");
  }
  SECTION("base64 without its padding") {
    CHECK(rule_of(with(text, R"(=","private-key-w)", R"(","private-key-w)")) == "J5");
  }
  SECTION("base64 of the standard alphabet") {
    CHECK(rule_of(with(text, R"("private-key":")", R"("private-key":"++++)")) == "J5");
  }
  SECTION("no wrapped key in either field") {
    const std::string wrapped =
        vectors::text(base::parse_strict_json(text).value(), "private-key");
    CHECK(rule_of(with(text, wrapped, "")) == "J6");
  }
}

TEST_CASE("a key that is wrapped anew keeps its form and its hash", "[keyvault]") {
  const RecoveryKey identity =
      RecoveryKey::load(vectors::path_of("recovery-key.pem"), {}).value();
  const RecoveryKey target = RecoveryKey::generate(2048).value();
  const std::string text = wrapped_key_json();

  const auto rewrapped =
      rewrap_key_json(base::as_bytes(text), identity, target.recipient(), "importer");
  REQUIRE(rewrapped);
  CHECK(rewrapped->hash == OaepHash::kSha256);
  CHECK(rewrapped->key_size == 7);
  const KeyJson json = parse_key_json(base::as_bytes(rewrapped->json)).value();
  CHECK(json.encoding == "RSA_AES_KEY_WRAP_256");
  CHECK(json.wrapping_key_name == "importer");
  CHECK(json.wrapping_key_pkcs1 == target.recipient().pkcs1().value());
  const auto key = unwrap_protection_key(json, target).value();
  CHECK(base::as_text(key.key.view()) == "protect");
  CHECK(unwrap_protection_key(json, identity).error().code() ==
        base::ErrorCode::kWrongKey);
  CHECK(rewrap_key_json(base::as_bytes(text), target, identity.recipient(), "")
            .error()
            .code() == base::ErrorCode::kWrongKey);

  SECTION("the field that held the key holds it again, and unknown members stay") {
    base::Json object = base::parse_strict_json(text).value();
    std::swap(object["public-key"], object["private-key"]);
    object["version"] = "2";
    const std::string other = "\xef\xbb\xbf" + object.dump(2);
    const auto again =
        rewrap_key_json(base::as_bytes(other), identity, target.recipient(), "");
    REQUIRE(again);
    const base::Json written = base::parse_strict_json(again->json).value();
    CHECK(written.at("version") == "2");
    CHECK(written.at("private-key") == "");
    const KeyJson parsed = parse_key_json(base::as_bytes(again->json)).value();
    CHECK(unwrap_protection_key(parsed, target)->key.size() == 7);
  }
}

// Rewraps what python3-cryptography wrapped, and has it unwrap the result: each hash,
// each size of the wrapping key, an AES-256 key and an RSA-4096 one as PKCS#8.
TEST_CASE("python3-cryptography agrees about every key that is rewrapped",
          "[keyvault]") {
  const support::ScratchFolder scratch;
  const auto at = [&scratch](const std::string& name) {
    return (scratch.path() / name).string();
  };
  write(at("keys.py"), base::as_bytes(R"(import base64, json, os, sys
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
HASHES = {"CKM_RSA_AES_KEY_WRAP": hashes.SHA1(), "RSA_AES_KEY_WRAP_256": hashes.SHA256(),
          "RSA_AES_KEY_WRAP_384": hashes.SHA384()}
def oaep(enc):
    return padding.OAEP(mgf=padding.MGF1(HASHES[enc]), algorithm=HASHES[enc], label=None)
def private(path):
    return serialization.load_pem_private_key(open(path, "rb").read(), None)
how, folder = sys.argv[1:]
if how == "wrap":
    target = rsa.generate_private_key(65537, 4096).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    open(folder + "/aes", "wb").write(os.urandom(32))
    open(folder + "/rsa", "wb").write(target)
    for bits in (2048, 3072, 4096):
        key = rsa.generate_private_key(65537, bits)
        open(f"{folder}/{bits}.pem", "wb").write(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        public = key.public_key()
        open(f"{folder}/{bits}.pub.pem", "wb").write(public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).replace(b"\n", b"\r\n"))
        for enc in HASHES:
            for name in ("aes", "rsa"):
                ephemeral = os.urandom(32)
                wrapped = public.encrypt(ephemeral, oaep(enc)) + keywrap.aes_key_wrap_with_padding(
                    ephemeral, open(f"{folder}/{name}", "rb").read())
                json.dump({"public-key": "", "private-key": base64.urlsafe_b64encode(wrapped).decode(),
                           "private-key-wrapping-info": {"key-name": "", "enc": enc,
                               "public-key": base64.urlsafe_b64encode(public.public_bytes(
                                   serialization.Encoding.DER, serialization.PublicFormat.PKCS1)).decode()}},
                          open(f"{folder}/{bits}-{enc}-{name}.json", "w"))
else:
    for bits in (2048, 3072, 4096):
        for enc in HASHES:
            for name in ("aes", "rsa"):
                document = json.load(open(f"{folder}/new-{bits}-{enc}-{name}.json"))
                assert document["private-key-wrapping-info"]["enc"] == enc
                identity = private(f"{folder}/{6144 - bits if bits != 3072 else bits}.pem")
                wrapped = base64.urlsafe_b64decode(document["private-key"])
                size = identity.key_size // 8
                ephemeral = identity.decrypt(wrapped[:size], oaep(enc))
                assert keywrap.aes_key_unwrap_with_padding(ephemeral, wrapped[size:]) == \
                    open(f"{folder}/{name}", "rb").read()
                print("same")
)"));
  const auto python = [&](const char* how) {
    const auto run =
        base::run_program({"python3", at("keys.py"), how, scratch.path().string()},
                          std::chrono::seconds(120));
    REQUIRE(run);
    CHECK(run->error_output.empty());
    return run->output;
  };
  python("wrap");
  for (const int bits : {2048, 3072, 4096}) {
    // A key of another size than the one before, both ways.
    const int to = bits == 3072 ? 3072 : 6144 - bits;
    const RecoveryKey identity =
        RecoveryKey::load(at(std::to_string(bits) + ".pem"), {}).value();
    const Recipient target =
        Recipient::parse_pem(
            base::read_file(at(std::to_string(to) + ".pub.pem"), 65536).value())
            .value();
    for (const std::string enc :
         {"CKM_RSA_AES_KEY_WRAP", "RSA_AES_KEY_WRAP_256", "RSA_AES_KEY_WRAP_384"}) {
      for (const std::string name : {"aes", "rsa"}) {
        const std::string file =
            std::to_string(bits) + "-" + enc + "-" + name + ".json";
        CAPTURE(file);
        const auto rewrapped = rewrap_key_json(base::read_file(at(file), 65536).value(),
                                               identity, target, "");
        REQUIRE(rewrapped);
        write(at("new-" + file), base::as_bytes(rewrapped->json));
      }
    }
  }
  CHECK(python("unwrap").size() == 18 * std::string("same\n").size());
}

TEST_CASE("openssl alone unwraps our key JSON", "[keyvault]") {
  const support::ScratchFolder scratch;
  const auto at = [&scratch](const char* name) {
    return (scratch.path() / name).string();
  };
  const KeyJson json = parse_key_json(base::as_bytes(wrapped_key_json())).value();
  write(at("envelope"), base::ByteView(json.wrapped).first(384));
  write(at("target"), base::ByteView(json.wrapped).subspan(384));
  const auto unwrapped_ephemeral = base::run_program(
      {"openssl", "pkeyutl", "-decrypt", "-inkey", vectors::path_of("recovery-key.pem"),
       "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-in",
       at("envelope")},
      std::chrono::seconds(20));
  REQUIRE(unwrapped_ephemeral->exit_status == 0);
  REQUIRE(unwrapped_ephemeral->output.size() == 32);
  const auto key = base::run_program(
      {"openssl", "enc", "-d", "-id-aes256-wrap-pad", "-iv", "a65959a6", "-K",
       base::to_hex(base::as_bytes(unwrapped_ephemeral->output)), "-in", at("target")},
      std::chrono::seconds(20));
  CHECK(key->exit_status == 0);
  CHECK(key->output == "protect");
}

TEST_CASE("python3-cryptography unwraps our key JSON", "[keyvault]") {
  const support::ScratchFolder scratch;
  const auto at = [&scratch](const char* name) {
    return (scratch.path() / name).string();
  };
  write(at("key.json"), base::as_bytes(wrapped_key_json()));
  write(at("unwrap.py"), base::as_bytes(R"(import base64, json, sys
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding
document = json.load(open(sys.argv[1]))
info = document["private-key-wrapping-info"]
identity = serialization.load_pem_private_key(open(sys.argv[2], "rb").read(), None)
assert base64.urlsafe_b64decode(info["public-key"]) == identity.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
assert info["enc"] == "RSA_AES_KEY_WRAP_256"
wrapped = base64.urlsafe_b64decode(document["private-key"])
size = identity.key_size // 8
ephemeral = identity.decrypt(wrapped[:size], padding.OAEP(
    mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None))
sys.stdout.buffer.write(keywrap.aes_key_unwrap_with_padding(ephemeral, wrapped[size:]))
)"));
  const auto key = base::run_program({"python3", at("unwrap.py"), at("key.json"),
                                      vectors::path_of("recovery-key.pem")},
                                     std::chrono::seconds(60));
  CHECK(key->error_output.empty());
  CHECK(key->output == "protect");
}

}  // namespace sealift::keyvault
