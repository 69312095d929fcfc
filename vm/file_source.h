// A file kept as it is, for an archive: whole, or what counts of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vm/disk_source.h"
#include "vm/vhdx.h"

namespace sealift::vm {

/// Which file it is and whether it was written to. Two that are equal are of the same
/// file, unchanged as far as the file system tells.
struct FileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  ///< Nanoseconds.
  std::int64_t changed = 0;   ///< Nanoseconds.

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// Not through a symlink.
/// errors  kNotFound.  kRefused: no regular file.  kIo.
base::Result<FileStamp> stamp_of(const std::filesystem::path& path);

/// name     What it is called in errors and in the archive.
/// stamp    Of the file as it was looked at: the source is of that file or of none.
/// counting Runs of bytes that count, ascending and apart; the others are given as
///          holes, or as zeros where a piece has both. None: all of it counts.
/// errors   Of reading: kBusy: the file is not the one of `stamp` any more.  kRefused,
///          kIo as DiskSource.
std::unique_ptr<DiskSource> open_file_source(
    std::string name, std::filesystem::path path, const FileStamp& stamp,
    std::optional<std::vector<ByteRange>> counting);

/// A file was written to, or exchanged, since it was looked at; says not which.
base::Error changed_meanwhile();

}  // namespace sealift::vm
