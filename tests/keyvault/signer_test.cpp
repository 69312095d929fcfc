#include "keyvault/signer.h"

#include <fstream>

#include "base/subprocess.h"
#include "keyvault/digest.h"
#include "keyvault/recovery_key.h"
#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::keyvault {
namespace {

using base::ErrorCode;
using support::from_hex;
using vectors::secret_of;

void write(const std::filesystem::path& path, base::ByteView bytes) {
  std::ofstream file(path, std::ios::binary);
  file << base::as_text(bytes);
}

base::Bytes signed_by(const SigningKey& key, base::ByteView message) {
  const Signature signature = key.sign(message).value();
  return {signature.begin(), signature.end()};
}

}  // namespace

TEST_CASE("Ed25519 gives the signatures of RFC 8032", "[keyvault][vector]") {
  // Section 7.1: TEST 1, TEST 2, TEST 3, TEST SHA(abc).
  struct Case {
    std::string seed;
    std::string public_key;
    std::string message;
    std::string signature;
  };
  const Case example = GENERATE(values<Case>({
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33ba"
       "c"
       "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996"
       "e"
       "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f29"
       "0"
       "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
      {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
       "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a"
       "8"
       "36ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
       "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3e"
       "c"
       "fdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
  }));
  const SigningKey key =
      SigningKey::from_seed(secret_of(from_hex(example.seed))).value();
  const base::Bytes message = from_hex(example.message);

  CHECK(base::to_hex(key.public_key().spki()) ==
        "302a300506032b6570032100" + example.public_key);
  CHECK(base::to_hex(signed_by(key, message)) == example.signature);
  CHECK(key.public_key().verify(message, from_hex(example.signature)));
}

TEST_CASE("an Ed25519 signature is refused when anything about it is wrong",
          "[keyvault][vector]") {
  const SigningKey key = SigningKey::generate().value();
  const base::Bytes message = vectors::copy(base::as_bytes("sealift snapshot 1\n"));
  const base::Bytes good = signed_by(key, message);
  const SignerPublicKey& signer = key.public_key();
  REQUIRE(signer.verify(message, good));
  const auto is_refused = [&signer](base::ByteView text, base::ByteView signature) {
    const base::Status status = signer.verify(text, signature);
    return !status && status.error().code() == ErrorCode::kCorrupt;
  };

  SECTION("every bit of the signature, flipped") {
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      base::Bytes bad = good;
      bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      CAPTURE(bit);
      CHECK(is_refused(message, bad));
    }
  }
  SECTION("every bit of the message, flipped") {
    for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
      base::Bytes bad = message;
      bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      CHECK(is_refused(bad, good));
    }
  }
  SECTION("a message cut short") {
    CHECK(is_refused(base::ByteView(message).first(message.size() - 1), good));
  }
  SECTION("a signature of 63 bytes") {
    CHECK(is_refused(message, base::ByteView(good).first(63)));
  }
  SECTION("a signature of 65 bytes") {
    base::Bytes longer = good;
    longer.push_back(std::byte{0});
    CHECK(is_refused(message, longer));
  }
  SECTION("an empty signature") { CHECK(is_refused(message, {})); }
  SECTION("a signature of zeros") { CHECK(is_refused(message, base::Bytes(64))); }
  SECTION("another signer's signature") {
    CHECK(is_refused(message, signed_by(SigningKey::generate().value(), message)));
  }
  SECTION("an S that is not reduced: RFC 8032, 5.1.7, against malleability") {
    // S + L, with L the order of the group, little-endian.
    const base::Bytes order =
        from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    base::Bytes bad = good;
    unsigned carry = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      carry +=
          std::to_integer<unsigned>(bad[32 + i]) + std::to_integer<unsigned>(order[i]);
      bad[32 + i] = static_cast<std::byte>(carry & 0xffU);
      carry >>= 8U;
    }
    CHECK(is_refused(message, bad));
  }
}

TEST_CASE("a signer's id is the SHA-256 of its SubjectPublicKeyInfo", "[keyvault]") {
  const SigningKey key = SigningKey::generate().value();
  CHECK(key.public_key().id().bytes() == sha256(key.public_key().spki()).bytes());
}

TEST_CASE("keys of a signer come back from PEM and DER", "[keyvault]") {
  const SigningKey key = SigningKey::generate().value();
  const SigningKey read = SigningKey::parse_pem(key.to_pem().value()).value();
  CHECK(read.public_key().id() == key.public_key().id());
  const std::string pem = key.public_key().pem();
  CHECK(SignerPublicKey::parse_pem(base::as_bytes(pem))->id() == key.public_key().id());
  CHECK(SignerPublicKey::parse_spki(key.public_key().spki())->id() ==
        key.public_key().id());
}

TEST_CASE("what is no signer's public key is refused", "[keyvault]") {
  const SigningKey key = SigningKey::generate().value();
  const auto code_of = [](base::ByteView pem) {
    return SignerPublicKey::parse_pem(pem).error().code();
  };
  SECTION("a private key") {
    CHECK(code_of(key.to_pem()->view()) == ErrorCode::kUsage);
  }
  SECTION("an RSA public key") {
    const std::string pem = RecoveryKey::generate(2048)->recipient().spki_pem();
    CHECK(code_of(base::as_bytes(pem)) == ErrorCode::kUsage);
  }
  SECTION("two keys in one file") {
    const std::string pem = key.public_key().pem() + key.public_key().pem();
    CHECK(code_of(base::as_bytes(pem)) == ErrorCode::kUsage);
  }
  SECTION("words") { CHECK(code_of(base::as_bytes("hello\n")) == ErrorCode::kUsage); }
  SECTION("nothing") { CHECK(code_of({}) == ErrorCode::kUsage); }
  SECTION("DER with a byte after it") {
    base::Bytes der = key.public_key().spki();
    der.push_back(std::byte{0});
    CHECK(SignerPublicKey::parse_spki(der).error().code() == ErrorCode::kUsage);
  }
  SECTION("DER cut short") {
    const base::ByteView der = key.public_key().spki();
    CHECK(SignerPublicKey::parse_spki(der.first(der.size() - 1)).error().code() ==
          ErrorCode::kUsage);
  }
}

TEST_CASE("what is no signing key is refused", "[keyvault]") {
  SECTION("an RSA private key") {
    const Secret pem = RecoveryKey::generate(2048)->to_pem(nullptr).value();
    CHECK(SigningKey::parse_pem(pem).error().code() == ErrorCode::kUsage);
  }
  SECTION("a public key") {
    const Secret pem = secret_of(SigningKey::generate()->public_key().pem());
    CHECK(SigningKey::parse_pem(pem).error().code() == ErrorCode::kUsage);
  }
  SECTION("a seed of 31 bytes") {
    CHECK(SigningKey::from_seed(Secret::random(31).value()).error().code() ==
          ErrorCode::kUsage);
  }
}

TEST_CASE("openssl pkeyutl alone checks a signature", "[keyvault]") {
  const support::ScratchFolder scratch;
  const SigningKey key = SigningKey::generate().value();
  const std::string sums = "0123  header.json\n";
  const auto at = [&scratch](const char* name) {
    return (scratch.path() / name).string();
  };
  write(at("SHA256SUMS"), base::as_bytes(sums));
  write(at("SHA256SUMS.sig"), signed_by(key, base::as_bytes(sums)));
  write(at("signer.pub.pem"), base::as_bytes(key.public_key().pem()));
  const std::vector<std::string> command{"openssl",
                                         "pkeyutl",
                                         "-verify",
                                         "-rawin",
                                         "-pubin",
                                         "-inkey",
                                         at("signer.pub.pem"),
                                         "-in",
                                         at("SHA256SUMS"),
                                         "-sigfile",
                                         at("SHA256SUMS.sig")};

  CHECK(base::run_program(command, std::chrono::seconds(20))->exit_status == 0);
  write(at("SHA256SUMS"), base::as_bytes("0124  header.json\n"));
  CHECK(base::run_program(command, std::chrono::seconds(20))->exit_status != 0);
}

}  // namespace sealift::keyvault
