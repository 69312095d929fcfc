#include "keyvault/aead.h"

#include <algorithm>

#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"

namespace sealift::keyvault {
namespace {

using support::from_hex;
using vectors::secret_of;

GcmNonce nonce_of(base::ByteView bytes) {
  GcmNonce nonce{};
  REQUIRE(bytes.size() == nonce.size());
  std::ranges::copy(bytes, nonce.begin());
  return nonce;
}

}  // namespace

TEST_CASE("AES-256-GCM gives the examples of the GCM specification",
          "[keyvault][vector]") {
  // McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to 16.
  struct Case {
    std::string key;
    std::string nonce;
    std::string additional;
    std::string plaintext;
    std::string sealed;
  };
  const std::string zero_key(64, '0');
  const std::string key =
      "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
  const Case example = GENERATE_COPY(values<Case>({
      {zero_key, "000000000000000000000000", "", "",
       "530f8afbc74536b9a963b4f1c4cb738b"},
      {zero_key, "000000000000000000000000", "", "00000000000000000000000000000000",
       "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
      {key, "cafebabefacedbaddecaf888", "",
       "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
       "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
       "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
       "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
       "b094dac5d93471bdec1a502270e3cc6c"},
      {key, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
       "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
       "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
       "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
       "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
       "76fc6ece0f4e1768cddf8853bb2d551b"},
  }));
  auto cipher = Aes256Gcm::create(secret_of(from_hex(example.key))).value();
  const GcmNonce nonce = nonce_of(from_hex(example.nonce));
  const base::Bytes additional = from_hex(example.additional);
  const base::Bytes plaintext = from_hex(example.plaintext);

  base::Bytes sealed(plaintext.size() + kGcmTagSize);
  REQUIRE(cipher.seal(nonce, additional, plaintext, sealed));
  CHECK(base::to_hex(sealed) == example.sealed);

  base::Bytes opened(plaintext.size());
  REQUIRE(cipher.open(nonce, additional, sealed, opened));
  CHECK(opened == plaintext);
}

TEST_CASE("AES-256-GCM opens what a second implementation sealed, and no forgery",
          "[keyvault][vector]") {
  for (const base::Json& row : vectors::load("seals.json")) {
    DYNAMIC_SECTION(vectors::text(row, "name")) {
      auto cipher = Aes256Gcm::create(vectors::secret(row, "key")).value();
      const base::Bytes sealed = vectors::bytes(row, "sealed");
      REQUIRE(sealed.size() >= kGcmTagSize);
      base::Bytes plaintext(sealed.size() - kGcmTagSize, std::byte{0xee});

      const base::Status status =
          cipher.open(nonce_of(vectors::bytes(row, "nonce")),
                      vectors::bytes(row, "additional"), sealed, plaintext);

      if (vectors::text(row, "expect") == "opens") {
        REQUIRE(status);
        CHECK(plaintext == vectors::bytes(row, "plaintext"));
      } else {
        REQUIRE_FALSE(status);
        CHECK(status.error().code() == base::ErrorCode::kCorrupt);
        // No byte of what a forged tag would have released is left.
        CHECK(base::is_all_zero(plaintext));
      }
    }
  }
}

TEST_CASE("one AES-256-GCM object seals and opens many messages in any order",
          "[keyvault]") {
  auto cipher = Aes256Gcm::create(Secret::random(32).value()).value();
  const GcmNonce first{std::byte{1}};
  const GcmNonce second{std::byte{2}};
  const base::Bytes plaintext(1000, std::byte{0x41});
  base::Bytes sealed_first(plaintext.size() + kGcmTagSize);
  base::Bytes sealed_second(plaintext.size() + kGcmTagSize);
  REQUIRE(cipher.seal(first, {}, plaintext, sealed_first));
  REQUIRE(cipher.seal(second, {}, plaintext, sealed_second));
  CHECK(sealed_first != sealed_second);

  base::Bytes opened(plaintext.size());
  REQUIRE_FALSE(cipher.open(first, {}, sealed_second, opened));
  REQUIRE(cipher.open(second, {}, sealed_second, opened));
  CHECK(opened == plaintext);
  REQUIRE(cipher.open(first, {}, sealed_first, opened));
  CHECK(opened == plaintext);
}

}  // namespace sealift::keyvault
