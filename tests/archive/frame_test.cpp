// Frames are refused by the rule they break.
#include "archive/frame.h"

#include <zstd.h>

#include "archive/compression.h"
#include "archive/frame_opener.h"
#include "base/handle.h"
#include "keyvault/aead.h"
#include "tests/archive/archive_fixture.h"
#include "tests/archive/format_page.h"
#include "tests/support/catch.h"

namespace sealift::archive {

namespace {

base::Bytes example_with(std::size_t offset, std::string_view hex) {
  base::Bytes bytes = example_bytes("frame.md");
  for (const std::byte byte : support::from_hex(hex)) bytes.at(offset++) = byte;
  return bytes;
}

struct Opening {
  FrameCipher cipher;
  keyvault::HmacSha256 ids;
  FrameOpener opener;

  explicit Opening(unsigned key = 0x00)
      : cipher(must(FrameCipher::create(counting_key(key)))),
        ids(must(keyvault::HmacSha256::create(counting_key(0x20)))),
        opener(must(FrameOpener::create())) {}

  /// The rule that refuses `frame`; "" if it opens.
  std::string refusal(base::ByteView frame, const WantedFrame& wanted) {
    const auto header = examine_frame(frame, wanted);
    if (!header) return header.error().places().front().name;
    const auto plain = opener.open(frame, header.value(), cipher, ids);
    return plain ? "" : plain.error().places().front().name;
  }

  /// A frame of those fields around `packed`, sealed under this key.
  base::Bytes sealed(FrameHeader header, base::ByteView packed) {
    header.stored_size = static_cast<std::uint32_t>(packed.size());
    const EncodedFrameHeader encoded = encode(header);
    base::Bytes frame(encoded.begin(), encoded.end());
    frame.resize(header.frame_size());
    must(cipher.cipher.seal(nonce_of(header.counter), encoded, packed,
                            std::span(frame).subspan(kFrameHeaderSize)));
    return frame;
  }
};

enum class Size { kDeclared, kLeftOut };

base::Bytes compressed(base::ByteView plain, Size size = Size::kDeclared) {
  const base::Handle<ZSTD_CCtx, ZSTD_freeCCtx> state(ZSTD_createCCtx());
  ZSTD_CCtx_setParameter(state.get(), ZSTD_c_contentSizeFlag,
                         size == Size::kDeclared ? 1 : 0);
  base::Bytes packed(ZSTD_compressBound(plain.size()));
  packed.resize(ZSTD_compress2(state.get(), packed.data(), packed.size(), plain.data(),
                               plain.size()));
  return packed;
}

/// A frame of a single segment, which has no window byte, given one (RFC 8878,
/// 3.1.1.1.2).
base::Bytes with_window(base::Bytes packed, std::byte window) {
  packed[4] &= ~std::byte{0x20};
  packed.insert(packed.begin() + 5, window);
  return packed;
}

}  // namespace

TEST_CASE("a frame is refused by the rule it breaks", "[archive][format]") {
  Opening opening;
  const auto check = [&](const std::string& rule, base::ByteView frame,
                         WantedFrame wanted = {FrameKind::kData}) {
    CAPTURE(rule);
    CHECK(opening.refusal(frame, wanted) == rule);
  };
  const base::Bytes good = example_bytes("frame.md");
  check("", good);
  check("F1", base::ByteView(good).first(87));
  check("F1", {});
  check("F1", example_with(3, "32"));
  check("F2", example_with(4, "00"));
  check("F2", example_with(4, "05"));
  check("F2", good, {FrameKind::kPage});
  check("F3", example_with(5, "02"));
  check("F4", example_with(6, "8000"));
  check("F5", example_with(8, "00000000"));
  check("F5", example_with(8, "00400001"));
  check("F6", example_with(12, "00000000"));
  check("F6", example_with(12, "0000012d"));
  check("F6", example_with(12, "0000012b"));
  const std::string packed = "0100000000012c";  // From the codec to the plain size.
  check("F6", example_with(5, packed + "00000000"));
  check("F6", example_with(5, packed + "0000012d"));
  base::Bytes longer = good;
  longer.push_back(std::byte{0});
  check("F7", longer);
  check("F7", base::ByteView(good).first(good.size() - 1));
  check("F8", good, {FrameKind::kData, ChunkId::from(repeated(32, 1))});
  check("F9", good, {FrameKind::kData, {}, 299});
  check("F10", example_with(24, "7b"));
  for (std::size_t i = 16; i < good.size(); ++i) {
    if (i >= 24 && i < 56) continue;  // The key id: F10.
    base::Bytes bytes = good;
    bytes[i] ^= std::byte{1};
    check("F11", bytes);
  }
}

TEST_CASE("a frame that opens under another key is refused by its key id",
          "[archive][format]") {
  // Sealed under key B, saying A: with B it opens as far as AES-GCM can tell.
  Opening with_b(0x40);
  const Opening with_a(0x00);
  const base::Bytes plain = repeated(50, 'x');
  FrameHeader header;
  header.plain_size = 50;
  header.key = with_a.cipher.id;
  header.id = chunk_id_of(with_b.ids, FrameKind::kData, plain);
  const base::Bytes frame = with_b.sealed(header, plain);
  CHECK(with_b.refusal(frame, {FrameKind::kData}) == "F10");
  CHECK(Opening(0x00).refusal(frame, {FrameKind::kData}) == "F11");
}

TEST_CASE("compressed bytes are exactly one zstd frame of the stated size",
          "[archive][format]") {
  Opening opening;
  const base::Bytes plain = repeated(100'000, 'x');
  FrameHeader header;
  header.codec = FrameCodec::kZstd;
  header.plain_size = 100'000;
  header.key = opening.cipher.id;
  header.id = chunk_id_of(opening.ids, FrameKind::kData, plain);
  const auto refusal = [&](const base::Bytes& packed) {
    return opening.refusal(opening.sealed(header, packed), {FrameKind::kData});
  };
  CHECK(refusal(compressed(plain)).empty());
  CHECK(refusal(with_window(compressed(plain), std::byte{0x68})).empty());
  CHECK(refusal(with_window(compressed(plain), std::byte{0x69})) == "F12");
  CHECK(refusal(compressed(plain, Size::kLeftOut)) == "F12");
  CHECK(refusal(compressed(base::ByteView(plain).first(99'999))) == "F12");
  CHECK(refusal(repeated(30, 'x')) == "F12");
  base::Bytes twice = compressed(plain);
  const base::Bytes empty = compressed({});
  twice.insert(twice.end(), empty.begin(), empty.end());
  CHECK(refusal(twice) == "F12");
  base::Bytes trailing = compressed(plain);
  trailing.push_back(std::byte{0});
  CHECK(refusal(trailing) == "F12");
  base::Bytes cut = compressed(plain);
  cut.pop_back();
  CHECK(refusal(cut) == "F12");
  base::Bytes dictionary = compressed(plain);
  dictionary[4] |= std::byte{1};
  CHECK(refusal(dictionary) == "F12");
}

TEST_CASE("content that does not fit its id is refused by rule F13",
          "[archive][format]") {
  Opening opening;
  const base::Bytes plain = repeated(50, 'x');
  FrameHeader header;
  header.plain_size = 50;
  header.key = opening.cipher.id;
  header.id = chunk_id_of(opening.ids, FrameKind::kPage, plain);  // As a page.
  CHECK(opening.refusal(opening.sealed(header, plain), {FrameKind::kData}) == "F13");
}

TEST_CASE("what hardly shrinks is stored as it is", "[archive]") {
  auto compressor = must(Compressor::create(1));
  base::Bytes packed(Compressor::packed_bound(3200));
  CHECK(must(compressor.pack(noise(3200, 1), packed)) == 0);
  base::Bytes almost = noise(3200, 1);
  std::fill_n(almost.begin(), 60, std::byte{0});
  CHECK(must(compressor.pack(almost, packed)) == 0);
  std::fill_n(almost.begin(), 400, std::byte{0});
  CHECK(must(compressor.pack(almost, packed)) > 0);
}

}  // namespace sealift::archive
