// The file that a command writes: a new one.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::cli {

/// Writes what --out names, whole or not at all.
/// errors  kRefused: a file is there.  kIo.
base::Status write_new_file(const std::string& path, base::ByteView bytes, mode_t mode);

}  // namespace sealift::cli
