// The header of a frame: what it is, never where. docs/format/frame.md.
#pragma once

#include <array>
#include <optional>

#include "archive/frame_kind.h"
#include "archive/ids.h"

namespace sealift::archive {

constexpr std::size_t kFrameHeaderSize = 88;
constexpr std::size_t kFrameTagSize = 16;
/// What a frame has besides its ciphertext.
constexpr std::size_t kFrameOverhead = kFrameHeaderSize + kFrameTagSize;

/// Values stand in every frame: never change them.
enum class FrameCodec : std::uint8_t { kStored = 0, kZstd = 1 };

struct FrameHeader {
  FrameKind kind = FrameKind::kData;
  FrameCodec codec = FrameCodec::kStored;
  std::uint32_t plain_size = 0;   ///< 1 to kMaxPlainSize.
  std::uint32_t stored_size = 0;  ///< Ciphertext without tag, 1 to plain_size.
  std::uint64_t counter = 0;
  KeyId key;
  ChunkId id;

  std::size_t frame_size() const noexcept { return kFrameOverhead + stored_size; }
  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

using EncodedFrameHeader = std::array<std::byte, kFrameHeaderSize>;
EncodedFrameHeader encode(const FrameHeader& header);

/// Rules F1 to F6. `bytes` begin with the header and may go on.
base::Result<FrameHeader> decode_frame_header(base::ByteView bytes);

/// What a reader looks for.
struct WantedFrame {
  FrameKind kind = FrameKind::kData;
  std::optional<ChunkId> id = {};
  std::optional<std::uint32_t> plain_size = {};
};

/// Rules F1 to F9: `frame` is one whole frame, and the wanted one.
base::Result<FrameHeader> examine_frame(base::ByteView frame,
                                        const WantedFrame& wanted);

/// The nonce that belongs to a counter: 4 zero bytes || counter.
std::array<std::byte, 12> nonce_of(std::uint64_t counter);

}  // namespace sealift::archive
