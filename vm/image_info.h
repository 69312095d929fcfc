// What qemu-img says of one image file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace sealift::vm {

struct ImageInfo {
  std::uint64_t size = 0;            ///< Bytes that a guest sees.
  std::filesystem::path backing;     ///< Absolute; empty: none.
  std::string backing_format;        ///< Empty: the image does not state it.
  std::uint64_t cluster_size = 0;    ///< Bytes; 0: the format has none.
  bool can_hold_bitmaps = false;     ///< qcow2 of version 3: a place for dirty bitmaps.
  std::vector<std::string> bitmaps;  ///< Names of those that lie in it.
};

/// Reads `path` as `format`, also while a VM writes to it.
///
/// errors  kRefused: it is encrypted, or its backing file is no path.  kIo: missing,
///         unreadable, or not of that format; names the file.
base::Result<ImageInfo> read_image_info(const std::filesystem::path& path,
                                        const std::string& format);

}  // namespace sealift::vm
