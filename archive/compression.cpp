#include "archive/compression.h"

#include <zstd.h>

#include "archive/rule.h"

namespace sealift::archive {

namespace {

constexpr std::uint64_t kMaxWindow = std::uint64_t{8} * 1024 * 1024;

base::Error refused(const std::string& cause) {
  return broken("F12", "the compressed bytes are not one zstd frame of the stated size")
      .because(cause);
}

// RFC 8878, section 3.1.1.1: read here because the library's own function for it is not
// in its stable interface.
base::Status check_zstd_header(base::ByteView packed) {
  constexpr std::uint32_t kZstdMagic = 0x28b52ffd;
  if (packed.size() < 6 || base::read_be32(packed, 0) != kZstdMagic) {
    return refused("no zstd frame");
  }
  const auto descriptor = std::to_integer<unsigned>(packed[4]);
  if ((descriptor & 0x03U) != 0) return refused("it names a dictionary");
  if ((descriptor & 0x08U) != 0) return refused("a reserved bit is set");
  if ((descriptor & 0x20U) != 0) return base::Done{};  // The window is the content.
  const auto window = std::to_integer<std::uint64_t>(packed[5]);
  const std::uint64_t base_size = std::uint64_t{1} << (10 + (window >> 3U));
  if (base_size + base_size / 8 * (window & 7U) > kMaxWindow) {
    return refused("its window is greater than 8 MiB");
  }
  return base::Done{};
}

}  // namespace

void ReleaseCompressor::operator()(ZSTD_CCtx_s* state) const noexcept {
  ZSTD_freeCCtx(state);
}

void ReleaseDecompressor::operator()(ZSTD_DCtx_s* state) const noexcept {
  ZSTD_freeDCtx(state);
}

base::Result<Compressor> Compressor::create(unsigned level) {
  Compressor compressor(ZSTD_createCCtx());
  if (!compressor.state_ || ZSTD_isError(ZSTD_CCtx_setParameter(
                                compressor.state_.get(), ZSTD_c_compressionLevel,
                                static_cast<int>(level))) != 0) {
    return base::Error(base::ErrorCode::kIo, "cannot set up zstd")
        .at("level", std::to_string(level));
  }
  return compressor;
}

base::Result<std::size_t> Compressor::pack(base::ByteView plain,
                                           std::span<std::byte> packed) {
  const std::size_t size = ZSTD_compress2(state_.get(), packed.data(), packed.size(),
                                          plain.data(), plain.size());
  if (ZSTD_isError(size) != 0) {
    return base::Error(base::ErrorCode::kIo, "zstd cannot compress a chunk")
        .because(ZSTD_getErrorName(size));
  }
  return 32 * size > 31 * plain.size() ? 0 : size;
}

std::size_t Compressor::packed_bound(std::size_t plain_size) {
  return ZSTD_compressBound(plain_size);
}

base::Result<Decompressor> Decompressor::create() {
  Decompressor decompressor(ZSTD_createDCtx());
  if (!decompressor.state_) {
    return base::Error(base::ErrorCode::kIo, "cannot set up zstd");
  }
  return decompressor;
}

base::Status Decompressor::unpack(base::ByteView packed, std::span<std::byte> plain) {
  RETURN_IF_ERROR(check_zstd_header(packed));
  if (ZSTD_getFrameContentSize(packed.data(), packed.size()) != plain.size()) {
    return refused("it does not declare the stated size");
  }
  if (ZSTD_findFrameCompressedSize(packed.data(), packed.size()) != packed.size()) {
    return refused("it does not end where the ciphertext ends");
  }
  const std::size_t size = ZSTD_decompressDCtx(state_.get(), plain.data(), plain.size(),
                                               packed.data(), packed.size());
  if (ZSTD_isError(size) != 0) return refused(ZSTD_getErrorName(size));
  if (size != plain.size()) return refused("it gives fewer bytes");
  return base::Done{};
}

}  // namespace sealift::archive
