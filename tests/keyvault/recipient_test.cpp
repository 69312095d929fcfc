#include "base/subprocess.h"
#include "keyvault/digest.h"
#include "keyvault/recovery_key.h"
#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::keyvault {
namespace {

using base::ErrorCode;

RecoveryKey load(const std::string& name) {
  return RecoveryKey::load(vectors::path_of(name), {}).value();
}

OaepHash hash_of(const std::string& name) {
  if (name == "sha1") return OaepHash::kSha1;
  return name == "sha256" ? OaepHash::kSha256 : OaepHash::kSha384;
}

ErrorCode refusal_of(base::ByteView pem) {
  return Recipient::parse_pem(pem).error().code();
}

// A public key that openssl made just now.
std::string made_by_openssl(std::vector<std::string> key,
                            std::vector<std::string> out) {
  const support::ScratchFolder scratch;
  const std::string file = (scratch.path() / "key.pem").string();
  key.insert(key.end(), {"-out", file});
  out.insert(out.end(), {"-in", file});
  REQUIRE(base::run_program(key, std::chrono::seconds(60))->exit_status == 0);
  const auto made = base::run_program(out, std::chrono::seconds(60));
  REQUIRE(made->exit_status == 0);
  return made->output;
}

}  // namespace

TEST_CASE("RSA-OAEP opens what a second implementation encrypted, and nothing wrong",
          "[keyvault][vector]") {
  const RecoveryKey key = load("recovery-key.pem");
  for (const base::Json& row : vectors::load("envelopes.json")) {
    DYNAMIC_SECTION(vectors::text(row, "name")) {
      const auto plaintext = key.decrypt(vectors::bytes(row, "encrypted"),
                                         hash_of(vectors::text(row, "hash")));
      if (vectors::text(row, "expect") == "opens") {
        REQUIRE(plaintext);
        CHECK(vectors::copy(plaintext->view()) == vectors::bytes(row, "plaintext"));
      } else {
        REQUIRE_FALSE(plaintext);
        CHECK(plaintext.error().code() == ErrorCode::kWrongKey);
      }
    }
  }
}

TEST_CASE("RSA-PSS accepts what a second implementation signed, and nothing wrong",
          "[keyvault][vector]") {
  const RecoveryKey key = load("recovery-key.pem");
  for (const base::Json& row : vectors::load("signatures.json")) {
    DYNAMIC_SECTION(vectors::text(row, "name")) {
      const base::Status status = key.recipient().verify(
          vectors::bytes(row, "message"), vectors::bytes(row, "signature"));
      if (vectors::text(row, "expect") == "fits") {
        CHECK(status);
      } else {
        REQUIRE_FALSE(status);
        CHECK(status.error().code() == ErrorCode::kCorrupt);
      }
    }
  }
}

TEST_CASE("what is encrypted to a recipient opens with its key and hash alone",
          "[keyvault]") {
  const RecoveryKey key = load("recovery-key.pem");
  const RecoveryKey other = load("other-recovery-key.pem");
  const OaepHash hash = GENERATE(OaepHash::kSha1, OaepHash::kSha256, OaepHash::kSha384);
  const OaepHash wrong_hash =
      hash == OaepHash::kSha256 ? OaepHash::kSha1 : OaepHash::kSha256;
  const base::Bytes message(32, std::byte{7});

  const base::Bytes encrypted = key.recipient().encrypt(message, hash).value();

  CHECK(encrypted.size() == key.recipient().modulus_size());
  CHECK(vectors::copy(key.decrypt(encrypted, hash)->view()) == message);
  CHECK(key.decrypt(encrypted, wrong_hash).error().code() == ErrorCode::kWrongKey);
  CHECK(other.decrypt(encrypted, hash).error().code() == ErrorCode::kWrongKey);
}

TEST_CASE("what a recovery key signs, its recipient verifies", "[keyvault]") {
  const RecoveryKey key = load("recovery-key.pem");
  const base::ByteView message = base::as_bytes("sealift enrolled 1\n");
  const base::Bytes signature = key.sign(message).value();
  CHECK(signature.size() == 384);
  CHECK(key.recipient().verify(message, signature));
  CHECK_FALSE(load("other-recovery-key.pem").recipient().verify(message, signature));
}

TEST_CASE("a message too long for a recipient is refused", "[keyvault]") {
  const RecoveryKey key = load("recovery-key.pem");
  CHECK(key.recipient().encrypt(base::Bytes(318), OaepHash::kSha256));
  CHECK_FALSE(key.recipient().encrypt(base::Bytes(319), OaepHash::kSha256));
}

TEST_CASE("a recipient is the same key in SPKI and PKCS#1, as PEM and DER",
          "[keyvault]") {
  const RecoveryKey key = load("recovery-key.pem");
  const Recipient& recipient = key.recipient();
  CHECK(recipient.id().bytes() == sha256(recipient.spki()).bytes());
  CHECK(recipient.bits() == 3072);
  CHECK(recipient.modulus_size() == 384);
  CHECK(Recipient::parse_spki(recipient.spki())->id() == recipient.id());
  CHECK(Recipient::parse_pkcs1(recipient.pkcs1().value())->id() == recipient.id());
  const std::string spki = recipient.spki_pem();
  const std::string pkcs1 = recipient.pkcs1_pem();
  CHECK(spki.starts_with("-----BEGIN PUBLIC KEY-----\n"));
  CHECK(pkcs1.starts_with("-----BEGIN RSA PUBLIC KEY-----\n"));
  CHECK(Recipient::parse_pem(base::as_bytes(spki))->id() == recipient.id());
  CHECK(Recipient::parse_pem(base::as_bytes(pkcs1))->id() == recipient.id());
}

TEST_CASE("a recipient's PEM is what openssl writes for the same key", "[keyvault]") {
  const Recipient recipient = load("recovery-key.pem").recipient();
  const std::string file = vectors::path_of("recovery-key.pem");
  const auto spki = base::run_program({"openssl", "pkey", "-in", file, "-pubout"},
                                      std::chrono::seconds(20));
  CHECK(recipient.spki_pem() == spki->output);
  const auto pkcs1 = base::run_program(
      {"openssl", "rsa", "-in", file, "-RSAPublicKey_out"}, std::chrono::seconds(20));
  CHECK(recipient.pkcs1_pem() == pkcs1->output);
}

TEST_CASE("public keys as Windows tools write them are read", "[keyvault]") {
  const Recipient recipient = load("recovery-key.pem").recipient();
  std::string crlf;
  for (const char c : recipient.pkcs1_pem())
    crlf += c == '\n' ? "\r\n" : std::string(1, c);
  SECTION("with CRLF") {
    CHECK(Recipient::parse_pem(base::as_bytes(crlf))->id() == recipient.id());
  }
  SECTION("with a byte order mark") {
    CHECK(Recipient::parse_pem(base::as_bytes("\xef\xbb\xbf" + crlf))->id() ==
          recipient.id());
  }
  SECTION("as UTF-16 from Windows PowerShell") {
    std::string wide = "\xff\xfe";
    for (const char c : crlf) wide += std::string{c, '\0'};
    CHECK(Recipient::parse_pem(base::as_bytes(wide))->id() == recipient.id());
  }
}

TEST_CASE("a private key is refused as a recipient, by name", "[keyvault]") {
  const RecoveryKey key = load("recovery-key.pem");
  const auto refused = Recipient::parse_pem(key.to_pem(nullptr)->view());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kUsage);
  CHECK(refused.error().what() == "not an RSA public key: it is a private key");
  CHECK_FALSE(refused.error().next_steps().empty());
}

TEST_CASE("a key of another kind is refused as a recipient", "[keyvault]") {
  const std::string pem = made_by_openssl(
      {"openssl", "genpkey", "-algorithm", "X25519"}, {"openssl", "pkey", "-pubout"});
  CHECK(refusal_of(base::as_bytes(pem)) == ErrorCode::kUsage);
}

TEST_CASE("a key for RSA-PSS alone is refused as a recipient", "[keyvault]") {
  const std::string pem = made_by_openssl(
      {"openssl", "genpkey", "-algorithm", "RSA-PSS"}, {"openssl", "pkey", "-pubout"});
  CHECK(refusal_of(base::as_bytes(pem)) == ErrorCode::kUsage);
}

TEST_CASE("an RSA key of 1024 bits is refused as a recipient", "[keyvault]") {
  const std::string pem = made_by_openssl(
      {"openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"},
      {"openssl", "pkey", "-pubout"});
  const auto refused = Recipient::parse_pem(base::as_bytes(pem));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kUsage);
  CHECK(refused.error().what() ==
        "not an RSA public key: it has 1024 bits, not 2048 to 16384");
}

TEST_CASE("an RSA key with an even modulus is refused as a recipient", "[keyvault]") {
  base::Bytes der = load("recovery-key.pem").recipient().pkcs1().value();
  // RSAPublicKey ends with the modulus' last byte and the exponent 65537 (5 bytes).
  der.at(der.size() - 6) &= std::byte{0xfe};
  CHECK(Recipient::parse_pkcs1(der).error().code() == ErrorCode::kUsage);
}

TEST_CASE("a recipient cut short, or followed by a byte, is refused", "[keyvault]") {
  const Recipient recipient = load("recovery-key.pem").recipient();
  base::Bytes spki = recipient.spki();
  base::Bytes pkcs1 = recipient.pkcs1().value();
  spki.push_back(std::byte{0});
  pkcs1.push_back(std::byte{0});
  CHECK(Recipient::parse_spki(spki).error().code() == ErrorCode::kUsage);
  CHECK(Recipient::parse_pkcs1(pkcs1).error().code() == ErrorCode::kUsage);
  spki.resize(spki.size() - 2);
  pkcs1.resize(pkcs1.size() - 2);
  CHECK(Recipient::parse_spki(spki).error().code() == ErrorCode::kUsage);
  CHECK(Recipient::parse_pkcs1(pkcs1).error().code() == ErrorCode::kUsage);
  CHECK(Recipient::parse_spki({}).error().code() == ErrorCode::kUsage);
  CHECK(Recipient::parse_pkcs1({}).error().code() == ErrorCode::kUsage);
}

TEST_CASE("two keys in one file are refused as a recipient", "[keyvault]") {
  const std::string pem = load("recovery-key.pem").recipient().spki_pem() +
                          load("other-recovery-key.pem").recipient().spki_pem();
  CHECK(refusal_of(base::as_bytes(pem)) == ErrorCode::kUsage);
}

TEST_CASE("what is no PEM text is refused as a recipient", "[keyvault]") {
  CHECK(refusal_of({}) == ErrorCode::kUsage);
  CHECK(refusal_of(base::as_bytes("not a key\n")) == ErrorCode::kUsage);
  CHECK(refusal_of(base::as_bytes(
            "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n")) ==
        ErrorCode::kUsage);
}

}  // namespace sealift::keyvault
