// What a frame holds.
#pragma once

#include <cstdint>
#include <string_view>

namespace sealift::archive {

/// Values stand in every frame and index entry: never change them.
enum class FrameKind : std::uint8_t { kData = 1, kPage = 2, kIndex = 3, kManifest = 4 };

/// "data", "page", "index", "manifest".
std::string_view word_for(FrameKind kind);

}  // namespace sealift::archive
