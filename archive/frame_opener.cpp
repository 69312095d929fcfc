#include "archive/frame_opener.h"

#include <array>

#include "archive/rule.h"
#include "keyvault/secret.h"

namespace sealift::archive {

base::Result<FrameCipher> FrameCipher::create(const keyvault::Secret& key) {
  ASSIGN_OR_RETURN(const KeyId id, keyvault::key_id_of(key));
  ASSIGN_OR_RETURN(keyvault::Aes256Gcm cipher, keyvault::Aes256Gcm::create(key));
  return FrameCipher{id, std::move(cipher)};
}

ChunkId chunk_id_of(keyvault::HmacSha256& id_key, FrameKind kind,
                    base::ByteView plain) {
  const std::array<std::byte, 1> kind_byte{static_cast<std::byte>(kind)};
  return ChunkId(id_key.of({kind_byte, plain}).bytes());
}

FrameOpener::~FrameOpener() {
  keyvault::wipe(packed_);
  keyvault::wipe(plain_);
}

base::Result<FrameOpener> FrameOpener::create() {
  ASSIGN_OR_RETURN(Decompressor decompressor, Decompressor::create());
  return FrameOpener(std::move(decompressor));
}

base::Status FrameOpener::decode(base::ByteView frame, const FrameHeader& header,
                                 FrameCipher& key, std::span<std::byte> plain) {
  if (header.key != key.id) {
    return broken("F10", "the frame is sealed under another key")
        .at("key", header.key.hex());
  }
  const bool is_raw = header.codec == FrameCodec::kStored;
  if (!is_raw) packed_.resize(header.stored_size);
  const std::span<std::byte> packed = is_raw ? plain : std::span(packed_);
  if (!key.cipher.open(nonce_of(header.counter), frame.first(kFrameHeaderSize),
                       frame.subspan(kFrameHeaderSize), packed)) {
    return broken("F11", "the frame fails its authentication tag");
  }
  if (is_raw) return base::Done{};
  return decompressor_.unpack(packed, plain);
}

base::Result<base::ByteView> FrameOpener::open_unidentified(base::ByteView frame,
                                                            const FrameHeader& header,
                                                            FrameCipher& key) {
  plain_.resize(header.plain_size);
  RETURN_IF_ERROR(decode(frame, header, key, plain_));
  return base::ByteView(plain_);
}

base::Status FrameOpener::open_into(base::ByteView frame, const FrameHeader& header,
                                    FrameCipher& key, keyvault::HmacSha256& id_key,
                                    std::span<std::byte> plain) {
  RETURN_IF_ERROR(decode(frame, header, key, plain));
  return check_chunk_id(header, id_key, plain);
}

base::Result<base::ByteView> FrameOpener::open(base::ByteView frame,
                                               const FrameHeader& header,
                                               FrameCipher& key,
                                               keyvault::HmacSha256& id_key) {
  plain_.resize(header.plain_size);
  RETURN_IF_ERROR(open_into(frame, header, key, id_key, plain_));
  return base::ByteView(plain_);
}

base::Status check_chunk_id(const FrameHeader& header, keyvault::HmacSha256& id_key,
                            base::ByteView plain) {
  if (chunk_id_of(id_key, header.kind, plain) != header.id) {
    return broken("F13", "the frame's content does not fit its id")
        .at("frame", header.id.hex());
  }
  return base::Done{};
}

}  // namespace sealift::archive
