#include "archive/frame.h"

#include <algorithm>

#include "archive/limits.h"
#include "archive/rule.h"

namespace sealift::archive {

namespace {

// Field offsets, as in the table of frame.md, section 2.
constexpr std::size_t kKindAt = 4;
constexpr std::size_t kCodecAt = 5;
constexpr std::size_t kReservedAt = 6;
constexpr std::size_t kPlainSizeAt = 8;
constexpr std::size_t kStoredSizeAt = 12;
constexpr std::size_t kCounterAt = 16;
constexpr std::size_t kKeyAt = 24;
constexpr std::size_t kIdAt = 56;
static_assert(kIdAt + ChunkId::kSize == kFrameHeaderSize);

constexpr std::string_view kMagic = "SLF1";

}  // namespace

EncodedFrameHeader encode(const FrameHeader& header) {
  EncodedFrameHeader bytes{};
  std::ranges::copy(base::as_bytes(kMagic), bytes.begin());
  bytes[kKindAt] = static_cast<std::byte>(header.kind);
  bytes[kCodecAt] = static_cast<std::byte>(header.codec);
  base::write_be32(bytes, kPlainSizeAt, header.plain_size);
  base::write_be32(bytes, kStoredSizeAt, header.stored_size);
  base::write_be64(bytes, kCounterAt, header.counter);
  std::ranges::copy(header.key.bytes(), bytes.begin() + kKeyAt);
  std::ranges::copy(header.id.bytes(), bytes.begin() + kIdAt);
  return bytes;
}

base::Result<FrameHeader> decode_frame_header(base::ByteView bytes) {
  if (bytes.size() < kFrameHeaderSize ||
      base::as_text(bytes.first(kMagic.size())) != kMagic) {
    return broken("F1", "there is no frame here");
  }
  const auto kind = std::to_integer<unsigned>(bytes[kKindAt]);
  if (kind < 1 || kind > 4) return broken("F2", "the frame is of an unknown kind");
  const auto codec = std::to_integer<unsigned>(bytes[kCodecAt]);
  if (codec > 1) return broken("F3", "the frame has an unknown codec");
  if (base::read_be16(bytes, kReservedAt) != 0) {
    return broken("F4", "a reserved field of the frame is not zero");
  }
  FrameHeader header;
  header.kind = static_cast<FrameKind>(kind);
  header.codec = static_cast<FrameCodec>(codec);
  header.plain_size = base::read_be32(bytes, kPlainSizeAt);
  if (header.plain_size < 1 || header.plain_size > kMaxPlainSize) {
    return broken("F5", "the frame's plain size is out of range");
  }
  header.stored_size = base::read_be32(bytes, kStoredSizeAt);
  const bool is_raw = header.codec == FrameCodec::kStored;
  if (header.stored_size < 1 || header.stored_size > header.plain_size ||
      (is_raw && header.stored_size != header.plain_size)) {
    return broken("F6", "the frame's stored size is out of range");
  }
  header.counter = base::read_be64(bytes, kCounterAt);
  header.key = KeyId::from(bytes.subspan(kKeyAt, KeyId::kSize));
  header.id = ChunkId::from(bytes.subspan(kIdAt, ChunkId::kSize));
  return header;
}

base::Result<FrameHeader> examine_frame(base::ByteView frame,
                                        const WantedFrame& wanted) {
  ASSIGN_OR_RETURN(const FrameHeader header, decode_frame_header(frame));
  if (header.kind != wanted.kind) {
    return broken("F2", "the frame is of kind " + std::string(word_for(header.kind)) +
                            ", not " + std::string(word_for(wanted.kind)));
  }
  if (frame.size() != header.frame_size()) {
    return broken("F7", "the frame is not as long as its header says");
  }
  if (wanted.id && header.id != *wanted.id) {
    return broken("F8", "another frame lies here").at("frame", header.id.hex());
  }
  if (wanted.plain_size && header.plain_size != *wanted.plain_size) {
    return broken("F9", "the frame does not hold as many bytes as it must");
  }
  return header;
}

std::array<std::byte, 12> nonce_of(std::uint64_t counter) {
  std::array<std::byte, 12> nonce{};
  base::write_be64(nonce, 4, counter);
  return nonce;
}

std::string_view word_for(FrameKind kind) {
  switch (kind) {
    case FrameKind::kData:
      return "data";
    case FrameKind::kPage:
      return "page";
    case FrameKind::kIndex:
      return "index";
    case FrameKind::kManifest:
      return "manifest";
  }
  return "unknown";
}

}  // namespace sealift::archive
