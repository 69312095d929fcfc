// Opens what lies under a folder without ever following a symbolic link there.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace sealift::archive {

/// A folder that stays the one that was opened: when another file system is mounted
/// over it, or its own goes away, every use fails instead of landing somewhere else.
/// While it is open the file system cannot be unmounted by accident.
/// Threads: const members from several.
class FolderPath {
 public:
  /// `path` itself may be reached through symbolic links.
  /// errors  kNotFound: no such folder.  kIo.
  static base::Result<FolderPath> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const noexcept { return path_; }

  /// errors  kNotFound: `path()` no longer leads to the folder that was opened.
  base::Status check_still_there() const;

  /// The file or folder `name` under it, opened with `flags` (plus O_NOFOLLOW,
  /// O_CLOEXEC, O_NONBLOCK). An empty name is the folder itself.
  /// errors  kNotFound.  kCorrupt: a part of it is a symbolic link.  kIo.
  base::Result<base::FileDescriptor> open_under(std::string_view name, int flags) const;

 private:
  FolderPath(std::filesystem::path path, base::FileDescriptor folder)
      : path_(std::move(path)), folder_(std::move(folder)) {}
  std::filesystem::path path_;
  base::FileDescriptor folder_;
};

}  // namespace sealift::archive
