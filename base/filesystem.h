// Writing files so that they are whole or absent.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>

#include "base/bytes.h"
#include "base/file_descriptor.h"
#include "base/result.h"

namespace sealift::base {

/// A file being written. It has no name until publish(): a crash, or destruction
/// before publish(), leaves nothing visible. One thread at a time.
class NewFile {
 public:
  virtual ~NewFile() = default;

  /// errors  kIo: the file is lost; nothing visible changed.
  virtual Status append(ByteView bytes) = 0;

  /// Makes the content durable, then gives the file its name, then makes the name
  /// durable. Never replaces a file.
  /// errors  kBusy: a file of that name is there already and is untouched.
  ///         kIo: the file may be there, whole, or not; it is never there in part.
  virtual Status publish() = 0;
};

/// Everything written to a repository, a key vault or a restore target goes through
/// here, so that a test can fail or stop the world at any step. Reading needs no seam
/// except in the repository (archive/object_store.h). Threads: safe for concurrent
/// calls.
class Filesystem {
 public:
  virtual ~Filesystem() = default;

  /// A file that publish() will name `path`. O_TMPFILE and linkat where the file system
  /// has them, else a `.partial-*` name beside it, removed on failure.
  /// errors  kNotFound: the folder is not there.  kIo.
  virtual Result<std::unique_ptr<NewFile>> create(const std::filesystem::path& path,
                                                  mode_t mode) = 0;

  /// Gives the file `path` a new content, durably; a file that is not there is created.
  /// Only for the few files that change in place (the head of a record chain): what a
  /// backup writes is never replaced.
  /// errors  kNotFound: the folder is not there.  kIo: `path` is whole, with the old
  ///         content or the new.
  virtual Status replace(const std::filesystem::path& path, ByteView bytes,
                         mode_t mode) = 0;

  /// Creates `path` and the folders above it that are missing, durably.
  virtual Status create_directories(const std::filesystem::path& path, mode_t mode) = 0;

  /// Removes a file, durably. One that is not there is no error.
  virtual Status remove(const std::filesystem::path& path) = 0;
};

/// The one that writes to the disk. Threads: safe for concurrent calls.
Filesystem& real_filesystem();

/// Publishes `bytes` as `path` in one step: create, append, publish.
Status publish(Filesystem& filesystem, const std::filesystem::path& path,
               ByteView bytes, mode_t mode);

/// Opens a file for reading. Not through a symlink in the last place.
/// errors  kNotFound.  kRefused: a symlink, or no regular file.  kIo.
Result<FileDescriptor> open_regular_file(const std::filesystem::path& path);

/// The whole file.
/// errors  as open_regular_file().  kRefused: it is larger than `limit`.
Result<Bytes> read_file(const std::filesystem::path& path, std::uint64_t limit);

}  // namespace sealift::base
