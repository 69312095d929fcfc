// A file name taken for a new disk image, given up again unless it is kept.
#pragma once

#include <filesystem>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace sealift::vm {

/// Ownership  The file; removed by the destructor unless keep() succeeded, and only if
///            the name still leads to it. One thread at a time.
class NewImageFile {
 public:
  /// An empty file, 0600. Never replaces one, never follows a symlink.
  /// errors  kRefused: `path` is there already, or is not absolute.  kNotFound: its
  ///         folder is not there.  kIo.
  static base::Result<NewImageFile> claim(const std::filesystem::path& path);

  NewImageFile(NewImageFile&&) = default;
  NewImageFile& operator=(NewImageFile&&) = delete;
  NewImageFile(const NewImageFile&) = delete;
  NewImageFile& operator=(const NewImageFile&) = delete;
  ~NewImageFile();

  const std::filesystem::path& path() const noexcept { return path_; }
  int descriptor() const noexcept { return descriptor_.get(); }

  /// Whether the name still leads to this very file: another program was given the name
  /// and wrote to what it found there.
  bool is_still_there() const;

  /// Makes content and name durable. errors  kIo.
  base::Status keep();

 private:
  NewImageFile(std::filesystem::path path, base::FileDescriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  std::filesystem::path path_;
  base::FileDescriptor descriptor_;
  bool is_kept_ = false;
};

}  // namespace sealift::vm
