// Any bytes are refused, or are a frame header that is written back to the same bytes;
// and whatever follows it opens under no key that did not seal it.
#include "archive/frame.h"
#include "archive/frame_opener.h"
#include "archive/limits.h"

namespace {

using namespace sealift;

struct Keys {
  archive::FrameCipher cipher;
  keyvault::HmacSha256 ids;
  archive::FrameOpener opener;
};

Keys& keys() {
  static const auto secret = keyvault::Secret::allocate(32);
  static Keys held{archive::FrameCipher::create(secret.value()).value(),
                   keyvault::HmacSha256::create(secret.value()).value(),
                   archive::FrameOpener::create().value()};
  return held;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto header = archive::decode_frame_header(bytes);
  if (!header) return 0;
  const auto written = archive::encode(header.value());
  if (!std::ranges::equal(written, bytes.first(written.size()))) __builtin_trap();
  if (header->plain_size > archive::kMaxPlainSize ||
      header->stored_size > header->plain_size) {
    __builtin_trap();
  }
  const auto examined = archive::examine_frame(bytes, {header->kind, {}, {}});
  if (!examined) return 0;
  auto known = examined.value();
  known.key = keys().cipher.id;  // Past F10: the tag, then the decompressor.
  const auto plain = keys().opener.open(bytes, known, keys().cipher, keys().ids);
  if (plain) __builtin_trap();
  return 0;
}
