// Opening frames: tag, decompression, id.
#pragma once

#include "archive/compression.h"
#include "archive/frame.h"
#include "keyvault/aead.h"
#include "keyvault/digest.h"

namespace sealift::archive {

/// A key that opens frames, with the id that commits to it. Each thread uses its own.
struct FrameCipher {
  KeyId id;
  keyvault::Aes256Gcm cipher;

  static base::Result<FrameCipher> create(const keyvault::Secret& key);
};

/// HMAC-SHA-256(id key, kind || plaintext).
ChunkId chunk_id_of(keyvault::HmacSha256& id_key, FrameKind kind, base::ByteView plain);

/// Opens frames one after the other with buffers of its own, which are wiped in the
/// end: a manifest holds a key. Each thread uses its own.
class FrameOpener {
 public:
  ~FrameOpener();
  FrameOpener(FrameOpener&&) = default;
  FrameOpener& operator=(FrameOpener&&) = default;
  FrameOpener(const FrameOpener&) = delete;
  FrameOpener& operator=(const FrameOpener&) = delete;

  static base::Result<FrameOpener> create();

  /// Rules F10 to F13: the plaintext of `frame`, whose header is `header` (checked by
  /// examine_frame()). The view is valid until the next call; there is none unless
  /// every rule held.
  base::Result<base::ByteView> open(base::ByteView frame, const FrameHeader& header,
                                    FrameCipher& key, keyvault::HmacSha256& id_key);

  /// The same into `plain`, of the size that the header states. Nothing in it is to be
  /// used unless every rule held.
  base::Status open_into(base::ByteView frame, const FrameHeader& header,
                         FrameCipher& key, keyvault::HmacSha256& id_key,
                         std::span<std::byte> plain);

  /// Rules F10 to F12. For the manifest, whose plaintext holds the key of its id.
  base::Result<base::ByteView> open_unidentified(base::ByteView frame,
                                                 const FrameHeader& header,
                                                 FrameCipher& key);

 private:
  base::Status decode(base::ByteView frame, const FrameHeader& header, FrameCipher& key,
                      std::span<std::byte> plain);

  explicit FrameOpener(Decompressor decompressor)
      : decompressor_(std::move(decompressor)) {}
  Decompressor decompressor_;
  base::Bytes packed_;
  base::Bytes plain_;
};

/// Rule F13.
base::Status check_chunk_id(const FrameHeader& header, keyvault::HmacSha256& id_key,
                            base::ByteView plain);

}  // namespace sealift::archive
