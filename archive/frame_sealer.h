// Sealing frames: compress, encrypt, and open again before they count.
#pragma once

#include <atomic>
#include <functional>

#include "archive/archive_keys.h"
#include "archive/frame_opener.h"
#include "archive/manifest.h"

namespace sealift::archive {

/// Every sealing of an archive, under either of its keys, takes the next value of one
/// counter; none is ever given twice. Threads: any.
class FrameCounter {
 public:
  explicit FrameCounter(std::uint64_t first = 0) : next_(first) {}
  std::uint64_t take() noexcept { return next_.fetch_add(1); }

 private:
  std::atomic<std::uint64_t> next_;
};

struct SealerParts {
  const ArchiveKeys& keys;
  const keyvault::Secret& id_key;  ///< The repository's.
  FrameCounter& counter;
  unsigned zstd_level = 1;
  /// Sees every frame before it is opened again, and may damage it: for tests.
  std::function<void(std::span<std::byte> frame)> on_sealed;
};

/// Seals frame after frame with states and buffers of its own. Each thread uses its
/// own; the counter is shared.
class FrameSealer {
 public:
  ~FrameSealer() { keyvault::wipe(packed_); }
  FrameSealer(FrameSealer&&) = default;
  FrameSealer& operator=(FrameSealer&&) = default;
  FrameSealer(const FrameSealer&) = delete;
  FrameSealer& operator=(const FrameSealer&) = delete;

  static base::Result<FrameSealer> create(const SealerParts& parts);

  ChunkId id_of(FrameKind kind, IdScope scope, base::ByteView plain);

  /// A whole frame that was opened again and whose plaintext fits `id`. Sealed a second
  /// time, under a new counter, if the first did not open.
  /// plain   1 byte to kMaxPlainSize.
  /// return  valid until the next call.
  /// errors  kCorrupt: it did not open twice: this machine's memory or a library
  /// fails.
  base::Result<base::ByteView> seal(FrameKind kind, IdScope scope, const ChunkId& id,
                                    base::ByteView plain);

  /// A frame of its own, of shared scope: an index or a manifest. errors  as seal().
  base::Result<base::Bytes> seal_alone(FrameKind kind, base::ByteView plain);

 private:
  FrameSealer(FrameCipher data, FrameCipher metadata, keyvault::HmacSha256 shared_ids,
              keyvault::HmacSha256 private_ids, Compressor compressor,
              FrameOpener opener, const SealerParts& parts)
      : data_(std::move(data)),
        metadata_(std::move(metadata)),
        shared_ids_(std::move(shared_ids)),
        private_ids_(std::move(private_ids)),
        compressor_(std::move(compressor)),
        opener_(std::move(opener)),
        counter_(&parts.counter),
        on_sealed_(parts.on_sealed) {}

  base::Status seal_once(FrameKind kind, const ChunkId& id, base::ByteView plain);
  base::Status open_again(FrameKind kind, IdScope scope, const ChunkId& id,
                          std::size_t plain_size);
  FrameCipher& cipher(FrameKind kind) {
    return kind == FrameKind::kData ? data_ : metadata_;
  }
  // Only chunks are private: pages are found again by every host of the repository.
  keyvault::HmacSha256& ids(FrameKind kind, IdScope scope) {
    return kind == FrameKind::kData && scope == IdScope::kPrivate ? private_ids_
                                                                  : shared_ids_;
  }

  FrameCipher data_;
  FrameCipher metadata_;
  keyvault::HmacSha256 shared_ids_;
  keyvault::HmacSha256 private_ids_;
  Compressor compressor_;
  FrameOpener opener_;
  FrameCounter* counter_;
  std::function<void(std::span<std::byte>)> on_sealed_;
  base::Bytes packed_;
  base::Bytes frame_;
};

}  // namespace sealift::archive
