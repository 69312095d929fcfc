// Every limit of format 1 (docs/format/limits.md), checked before anything is
// allocated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sealift::archive {

constexpr std::uint32_t kMaxPlainSize = 4 * 1024 * 1024;
/// Header, ciphertext and tag.
constexpr std::uint32_t kMaxFrameSize = kMaxPlainSize + 104;
constexpr std::uint64_t kMaxComponentSize = std::uint64_t{1} << 50U;
constexpr std::uint32_t kPageFanOut = 256;

constexpr std::size_t kMaxComponents = 4096;
constexpr std::size_t kMaxVerdicts = 8192;
constexpr std::size_t kMaxMapEntries = 1024;
constexpr std::size_t kMaxNameSize = 255;
constexpr std::size_t kMaxTextSize = 65'536;

constexpr std::uint32_t kMaxVolumes = 9999;
constexpr std::uint64_t kMinVolumeFileSize = 4096;
constexpr std::uint64_t kMaxVolumeFileSize = std::uint64_t{1} << 40U;
constexpr std::uint32_t kMaxSegmentSize = 8 * 1024 * 1024;
constexpr std::uint32_t kMaxSegments = 131'072;
constexpr std::uint32_t kMaxProtectionKeys = 64;
constexpr std::uint32_t kMaxProtectionKeySize = 256 * 1024;
constexpr std::uint32_t kMaxHeaderSize = 8 * 1024 * 1024;
constexpr std::size_t kMaxKeys = 2'048;
constexpr std::size_t kMaxEnvelopes = 4'096;
constexpr std::uint32_t kMaxIndexEntriesInFrame = 65'536;
constexpr std::uint32_t kMaxIndexFrames = 16;
constexpr std::uint32_t kMaxIndexSize = 64 * 1024 * 1024;
constexpr std::uint32_t kMaxSnapshotSize = 1024 * 1024;
constexpr std::uint32_t kMaxSumsSize = 16 * 1024 * 1024;

}  // namespace sealift::archive
