#include "archive/frame_sealer.h"

#include <algorithm>

#include "archive/limits.h"

namespace sealift::archive {

base::Result<FrameSealer> FrameSealer::create(const SealerParts& parts) {
  ASSIGN_OR_RETURN(FrameCipher data, FrameCipher::create(parts.keys.data));
  ASSIGN_OR_RETURN(FrameCipher metadata, FrameCipher::create(parts.keys.metadata));
  ASSIGN_OR_RETURN(keyvault::HmacSha256 shared_ids,
                   keyvault::HmacSha256::create(parts.id_key));
  ASSIGN_OR_RETURN(keyvault::HmacSha256 private_ids,
                   keyvault::HmacSha256::create(parts.keys.private_id));
  ASSIGN_OR_RETURN(Compressor compressor, Compressor::create(parts.zstd_level));
  ASSIGN_OR_RETURN(FrameOpener opener, FrameOpener::create());
  return FrameSealer(std::move(data), std::move(metadata), std::move(shared_ids),
                     std::move(private_ids), std::move(compressor), std::move(opener),
                     parts);
}

ChunkId FrameSealer::id_of(FrameKind kind, IdScope scope, base::ByteView plain) {
  return chunk_id_of(ids(kind, scope), kind, plain);
}

base::Result<base::ByteView> FrameSealer::seal(FrameKind kind, IdScope scope,
                                               const ChunkId& id,
                                               base::ByteView plain) {
  if (plain.empty() || plain.size() > kMaxPlainSize) {
    return base::Error(base::ErrorCode::kDefect, "a frame holds 1 byte to 4 MiB")
        .at("bytes", std::to_string(plain.size()));
  }
  RETURN_IF_ERROR(seal_once(kind, id, plain));
  if (open_again(kind, scope, id, plain.size())) return base::ByteView(frame_);
  RETURN_IF_ERROR(seal_once(kind, id, plain));
  auto opened = open_again(kind, scope, id, plain.size());
  if (opened) return base::ByteView(frame_);
  return base::Error(base::ErrorCode::kCorrupt,
                     "a frame that was just sealed does not open, twice")
      .at("frame", id.hex())
      .because(opened.error().what())
      .next("test this machine's memory; nothing of this snapshot is visible");
}

base::Result<base::Bytes> FrameSealer::seal_alone(FrameKind kind,
                                                  base::ByteView plain) {
  const ChunkId id = id_of(kind, IdScope::kShared, plain);
  ASSIGN_OR_RETURN(const base::ByteView frame, seal(kind, IdScope::kShared, id, plain));
  return base::Bytes(frame.begin(), frame.end());
}

base::Status FrameSealer::seal_once(FrameKind kind, const ChunkId& id,
                                    base::ByteView plain) {
  packed_.resize(Compressor::packed_bound(plain.size()));
  ASSIGN_OR_RETURN(const std::size_t packed_size, compressor_.pack(plain, packed_));
  const bool is_raw = packed_size == 0;
  const base::ByteView packed =
      is_raw ? plain : base::ByteView(packed_).first(packed_size);

  FrameHeader header;
  header.kind = kind;
  header.codec = is_raw ? FrameCodec::kStored : FrameCodec::kZstd;
  header.plain_size = static_cast<std::uint32_t>(plain.size());
  header.stored_size = static_cast<std::uint32_t>(packed.size());
  header.counter = counter_->take();
  header.key = cipher(kind).id;
  header.id = id;
  const EncodedFrameHeader encoded = encode(header);

  frame_.resize(header.frame_size());
  std::ranges::copy(encoded, frame_.begin());
  RETURN_IF_ERROR(
      cipher(kind).cipher.seal(nonce_of(header.counter), encoded, packed,
                               std::span(frame_).subspan(kFrameHeaderSize)));
  if (on_sealed_) on_sealed_(frame_);
  return base::Done{};
}

// The opened plaintext is hashed to the id, not compared with the source: a comparison
// would miss a bit that flipped in the source buffer after its id was computed.
base::Status FrameSealer::open_again(FrameKind kind, IdScope scope, const ChunkId& id,
                                     std::size_t plain_size) {
  const WantedFrame wanted{kind, id, static_cast<std::uint32_t>(plain_size)};
  ASSIGN_OR_RETURN(const FrameHeader header, examine_frame(frame_, wanted));
  ASSIGN_OR_RETURN(const base::ByteView plain,
                   opener_.open(frame_, header, cipher(kind), ids(kind, scope)));
  static_cast<void>(plain);
  return base::Done{};
}

}  // namespace sealift::archive
