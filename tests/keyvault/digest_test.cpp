#include "keyvault/digest.h"

#include <string>

#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"

namespace sealift::keyvault {
namespace {

using base::as_bytes;
using support::from_hex;
using vectors::secret_of;

std::string repeated(std::string_view hex_byte, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += hex_byte;
  return text;
}

}  // namespace

TEST_CASE("SHA-256 gives the digests of FIPS 180-4", "[keyvault][vector]") {
  CHECK(sha256(base::ByteView()).hex() ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256(as_bytes("abc")).hex() ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))
            .hex() ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("SHA-256 of pieces is that of the whole", "[keyvault]") {
  Sha256 state;
  state.update(as_bytes("a"));
  state.update({});
  state.update(as_bytes("bc"));
  const Sha256Digest whole = sha256(as_bytes("abc"));
  CHECK(state.finish() == whole);
  CHECK(sha256({as_bytes("ab"), as_bytes("c")}) == whole);
}

TEST_CASE("HMAC-SHA-256 gives the tags of RFC 4231", "[keyvault][vector]") {
  struct Case {
    std::string key;
    std::string message;
    std::string tag;
  };
  const std::string question =
      "7768617420646f2079612077616e7420666f72206e6f7468696e673f";
  const Case example = GENERATE_COPY(values<Case>({
      {repeated("0b", 20), "4869205468657265",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"4a656665", question,
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {repeated("aa", 20), repeated("dd", 50),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {"0102030405060708090a0b0c0d0e0f10111213141516171819", repeated("cd", 50),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {repeated("aa", 131),
       "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2"
       "0"
       "48617368204b6579204669727374",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {repeated("aa", 131),
       "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636"
       "b"
       "2d73697a65206b657920616e642061206c6172676572207468616e20626c6f636b2d73697a65206"
       "4"
       "6174612e20546865206b6579206e6565647320746f20626520686173686564206265666f7265206"
       "2"
       "65696e6720757365642062792074686520484d414320616c676f726974686d2e",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  }));
  auto mac = HmacSha256::create(secret_of(from_hex(example.key))).value();
  const base::Bytes message = from_hex(example.message);

  CHECK(mac.of({message}).hex() == example.tag);
  SECTION("and again for a second message under the same key") {
    static_cast<void>(mac.of({as_bytes("something else")}));
    const auto half = static_cast<std::ptrdiff_t>(message.size() / 2);
    const base::Bytes first(message.begin(), message.begin() + half);
    const base::Bytes rest(message.begin() + half, message.end());
    CHECK(mac.of({first, rest}).hex() == example.tag);
  }
}

TEST_CASE("HKDF-SHA-256 gives the keys of RFC 5869", "[keyvault][vector]") {
  SECTION("test case 1") {
    const base::Bytes info = from_hex("f0f1f2f3f4f5f6f7f8f9");
    const Secret key =
        hkdf_sha256(secret_of(from_hex(repeated("0b", 22))),
                    from_hex("000102030405060708090a0b0c"), base::as_text(info), 42)
            .value();
    CHECK(base::to_hex(key.view()) ==
          "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b8"
          "8718"
          "5865");
  }
  SECTION("test case 2, everything long") {
    base::Bytes input(80);
    base::Bytes salt(80);
    base::Bytes info(80);
    for (std::size_t i = 0; i < 80; ++i) {
      input[i] = static_cast<std::byte>(i);
      salt[i] = static_cast<std::byte>(0x60 + i);
      info[i] = static_cast<std::byte>(0xb0 + i);
    }
    const Secret key =
        hkdf_sha256(secret_of(input), salt, base::as_text(info), 82).value();
    CHECK(base::to_hex(key.view()) ==
          "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7"
          "8272"
          "71cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3"
          "434f"
          "1d87");
  }
  SECTION("test case 3, neither salt nor info") {
    const Secret key =
        hkdf_sha256(secret_of(from_hex(repeated("0b", 22))), {}, "", 42).value();
    CHECK(base::to_hex(key.view()) ==
          "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4"
          "b61a"
          "96c8");
  }
}

TEST_CASE("HKDF gives different keys for different salts and infos", "[keyvault]") {
  const Secret key = Secret::random(32).value();
  const Secret base_key = hkdf_sha256(key, as_bytes("salt"), "info", 32).value();
  const Secret other_salt = hkdf_sha256(key, as_bytes("salT"), "info", 32).value();
  const Secret other_info = hkdf_sha256(key, as_bytes("salt"), "inf", 32).value();
  CHECK_FALSE(is_same(base_key.view(), other_salt.view()));
  CHECK_FALSE(is_same(base_key.view(), other_info.view()));
}

TEST_CASE("every key of format 1 is derived as the second implementation does",
          "[keyvault][vector]") {
  for (const base::Json& row : vectors::load("derivations.json")) {
    const std::string name = vectors::text(row, "name");
    CAPTURE(name);
    const Secret key = vectors::secret(row, "key");
    const Secret derived =
        hkdf_sha256(key, vectors::bytes(row, "salt"), vectors::text(row, "info"), 32)
            .value();
    CHECK(base::to_hex(derived.view()) == vectors::text(row, "derived"));
    if (name == "key id") {
      CHECK(key_id_of(key).value().hex() == vectors::text(row, "derived"));
    }
  }
}

TEST_CASE("two keys have two key ids", "[keyvault]") {
  const Secret a = Secret::random(32).value();
  const Secret b = Secret::random(32).value();
  CHECK(key_id_of(a).value() == key_id_of(a).value());
  CHECK(key_id_of(a).value() != key_id_of(b).value());
}

}  // namespace sealift::keyvault
