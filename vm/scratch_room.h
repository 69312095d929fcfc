// The room for what a guest writes while its disks are read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "vm/capture_traces.h"

namespace sealift::vm {

/// A folder in which a guest's old blocks (scratch files) or new ones (overlays) come
/// to lie, and that is nearly full. Once it is full, the guest's own writes fail.
struct LowRoom {
  std::filesystem::path folder;
  std::uint64_t free = 0;   ///< Bytes.
  std::uint64_t least = 0;  ///< Bytes that have to stay free.

  /// "12.0 MiB are free in FOLDER, and 1.0 GiB must stay so".
  std::string words() const;
};

/// The least is 1 GiB, or a twentieth of a file system smaller than 20 GiB: more than a
/// guest writes between two looks of the guard (0.5 s).
std::optional<LowRoom> find_low_room(const CaptureTraces& traces);

}  // namespace sealift::vm
