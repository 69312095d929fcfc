// AES-GCM does not commit to its key: one frame whose tag fits under two keys is made
// here, and the reader takes it for one of them only. docs/format/keys.md, section 3.
#include <openssl/evp.h>

#include "archive/frame_opener.h"
#include "base/handle.h"
#include "keyvault/aead.h"
#include "tests/archive/archive_fixture.h"
#include "tests/archive/format_page.h"
#include "tests/support/catch.h"

namespace sealift::archive {

namespace {

using Block = std::array<std::byte, 16>;

Block operator^(Block a, const Block& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] ^= b[i];
  return a;
}

// NIST SP 800-38D, section 6.3: the field of GHASH.
Block times(const Block& x, const Block& y) {
  Block product{};
  Block v = y;
  for (unsigned i = 0; i < 128; ++i) {
    if (std::to_integer<unsigned>(x[i / 8] >> (7 - i % 8)) & 1U) product = product ^ v;
    const bool is_odd = std::to_integer<unsigned>(v[15]) & 1U;
    for (std::size_t j = 15; j > 0; --j) v[j] = (v[j] >> 1) | (v[j - 1] << 7);
    v[0] >>= 1;
    if (is_odd) v[0] ^= std::byte{0xe1};
  }
  return product;
}

// x to the power of 2^128 - 2.
Block inverse(const Block& x) {
  Block result{std::byte{0x80}};
  Block power = x;
  for (unsigned i = 1; i < 128; ++i) {
    power = times(power, power);
    result = times(result, power);
  }
  return result;
}

Block encrypted(const keyvault::Secret& key, const Block& plain) {
  const base::Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> state(EVP_CIPHER_CTX_new());
  Block block{};
  int size = 0;
  REQUIRE(EVP_EncryptInit_ex(state.get(), EVP_aes_256_ecb(), nullptr,
                             reinterpret_cast<const unsigned char*>(key.view().data()),
                             nullptr) == 1);
  EVP_CIPHER_CTX_set_padding(state.get(), 0);
  REQUIRE(EVP_EncryptUpdate(state.get(), reinterpret_cast<unsigned char*>(block.data()),
                            &size, reinterpret_cast<const unsigned char*>(plain.data()),
                            static_cast<int>(plain.size())) == 1);
  return block;
}

struct Gcm {
  Gcm(const keyvault::Secret& key, std::uint64_t counter) : h(encrypted(key, {})) {
    Block first{};
    std::ranges::copy(nonce_of(counter), first.begin());
    first[15] = std::byte{1};
    mask = encrypted(key, first);
  }

  /// The tag; both lengths are multiples of eight, the ciphertext's of sixteen.
  Block tag(base::ByteView additional, base::ByteView ciphertext) const {
    Block sum{};
    const auto add = [&](base::ByteView bytes) {
      for (; !bytes.empty();
           bytes = bytes.subspan(std::min<std::size_t>(16, bytes.size()))) {
        Block block{};
        std::ranges::copy(bytes.first(std::min<std::size_t>(16, bytes.size())),
                          block.begin());
        sum = times(sum ^ block, h);
      }
    };
    add(additional);
    add(ciphertext);
    Block lengths{};
    base::write_be64(lengths, 0, additional.size() * 8);
    base::write_be64(lengths, 8, ciphertext.size() * 8);
    add(lengths);
    return sum ^ mask;
  }

  Block h;
  Block mask;  ///< What the tag is hidden under.
};

/// A frame of three blocks, saying that `named` sealed it; its last block is chosen so
/// that the tag fits under `other` too.
base::Bytes frame_for_two(const keyvault::Secret& named,
                          const keyvault::Secret& other) {
  FrameHeader header;
  header.counter = 7;
  header.plain_size = header.stored_size = 48;
  header.key = must(keyvault::key_id_of(named));
  const EncodedFrameHeader encoded = encode(header);
  const Gcm first(named, header.counter);
  const Gcm second(other, header.counter);
  base::Bytes ciphertext = noise(48, 5);
  const auto last = ciphertext.begin() + 32;
  std::fill(last, ciphertext.end(), std::byte{0});
  // The last block is followed by one block, the lengths: it counts times h squared.
  const Block difference =
      first.tag(encoded, ciphertext) ^ second.tag(encoded, ciphertext);
  const Block chosen =
      times(difference, inverse(times(first.h, first.h) ^ times(second.h, second.h)));
  std::ranges::copy(chosen, last);
  base::Bytes frame(encoded.begin(), encoded.end());
  frame.insert(frame.end(), ciphertext.begin(), ciphertext.end());
  const Block tag = first.tag(encoded, ciphertext);
  frame.insert(frame.end(), tag.begin(), tag.end());
  return frame;
}

base::Status open_with_openssl(const keyvault::Secret& key, base::ByteView frame) {
  auto cipher = must(keyvault::Aes256Gcm::create(key));
  base::Bytes plain(frame.size() - kFrameOverhead);
  return cipher.open(nonce_of(7), frame.first(kFrameHeaderSize),
                     frame.subspan(kFrameHeaderSize), plain);
}

std::string refusal(const keyvault::Secret& key, base::ByteView frame) {
  auto opener = must(FrameOpener::create());
  auto ids = must(keyvault::HmacSha256::create(counting_key(0x20)));
  auto cipher = must(FrameCipher::create(key));
  const FrameHeader header = must(examine_frame(frame, {FrameKind::kData}));
  const auto plain = opener.open(frame, header, cipher, ids);
  return plain ? "" : plain.error().places().front().name;
}

}  // namespace

TEST_CASE("a frame that opens under two keys is refused by its key id",
          "[archive][format]") {
  const keyvault::Secret named = counting_key(0x00);
  const keyvault::Secret other = counting_key(0x40);
  const base::Bytes frame = frame_for_two(named, other);
  // It is what it claims to be: OpenSSL opens it under both keys, and under no third.
  REQUIRE(open_with_openssl(named, frame));
  REQUIRE(open_with_openssl(other, frame));
  REQUIRE_FALSE(open_with_openssl(counting_key(0x80), frame));

  CHECK(refusal(other, frame) == "F10");
  // Under the key that it names only the id is left to refuse it: the content of the
  // chosen block cannot be foreseen.
  CHECK(refusal(named, frame) == "F13");
}

}  // namespace sealift::archive
