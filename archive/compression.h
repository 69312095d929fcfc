// One zstd frame for one frame of ours. docs/format/frame.md, rule F12.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace sealift::archive {

struct ReleaseCompressor {
  void operator()(ZSTD_CCtx_s* state) const noexcept;
};
struct ReleaseDecompressor {
  void operator()(ZSTD_DCtx_s* state) const noexcept;
};

/// Compresses many pieces at one level. Each thread uses its own.
class Compressor {
 public:
  /// `level` is 1 to 19.
  static base::Result<Compressor> create(unsigned level);

  /// `plain` as one zstd frame into `packed`, which has at least packed_bound() bytes.
  /// return  its size, or 0 when 32 * size > 31 * plain.size(): store it as it is.
  base::Result<std::size_t> pack(base::ByteView plain, std::span<std::byte> packed);

  static std::size_t packed_bound(std::size_t plain_size);

 private:
  explicit Compressor(ZSTD_CCtx_s* state) : state_(state) {}
  std::unique_ptr<ZSTD_CCtx_s, ReleaseCompressor> state_;
};

/// Each thread uses its own.
class Decompressor {
 public:
  static base::Result<Decompressor> create();

  /// Fills `plain`, to the last byte, from the one zstd frame that `packed` is.
  /// errors  kCorrupt, rule F12; `plain` is then of no use.
  base::Status unpack(base::ByteView packed, std::span<std::byte> plain);

 private:
  explicit Decompressor(ZSTD_DCtx_s* state) : state_(state) {}
  std::unique_ptr<ZSTD_DCtx_s, ReleaseDecompressor> state_;
};

}  // namespace sealift::archive
