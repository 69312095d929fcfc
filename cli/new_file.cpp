#include "cli/new_file.h"

#include "base/filesystem.h"

namespace sealift::cli {

base::Status write_new_file(const std::string& path, base::ByteView bytes,
                            mode_t mode) {
  base::Status written = base::publish(base::real_filesystem(), path, bytes, mode);
  if (!written && written.error().code() == base::ErrorCode::kBusy) {
    return base::Error(base::ErrorCode::kRefused,
                       "a file is there already, and nothing is overwritten")
        .at("file", path)
        .next("choose another name for --out");
  }
  return written;
}

}  // namespace sealift::cli
