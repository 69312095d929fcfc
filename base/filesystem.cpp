#include "base/filesystem.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/byte_count.h"
#include "base/file_descriptor.h"

namespace sealift::base {

namespace {

Error file_error(int error_number, std::string what,
                 const std::filesystem::path& path) {
  return system_error(error_number, std::move(what)).at("file", path.string());
}

Status sync_directory(const std::filesystem::path& path) {
  const FileDescriptor directory(
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) {
    return file_error(errno, "cannot make a folder's entries durable", path);
  }
  return Done{};
}

std::filesystem::path parent_of(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.parent_path();
  return parent.empty() ? "." : parent;
}

std::string unnamed_path(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

// The mode is the caller's, whatever the umask of the process: a repository is readable
// by others, keys are not. Storage that has no modes may refuse; it is used as it is.
void set_mode(int descriptor, mode_t mode) {
  static_cast<void>(::fchmod(descriptor, mode));
}

bool make_directory(const std::filesystem::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) return false;
  static_cast<void>(::chmod(path.c_str(), mode));
  return true;
}

// A file without a name can only be given one through /proc, which a process that hides
// its memory (PR_SET_DUMPABLE 0) may use as root alone.
FileDescriptor open_unnamed(const std::filesystem::path& folder, mode_t mode) {
  FileDescriptor descriptor(
      ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
  if (descriptor && ::access(unnamed_path(descriptor.get()).c_str(), F_OK) != 0)
    return {};
  if (descriptor) set_mode(descriptor.get(), mode);
  return descriptor;
}

struct PartialFile {
  FileDescriptor descriptor;
  std::filesystem::path path;
};

Error cannot_create(int error_number, const std::filesystem::path& path) {
  if (error_number == ENOENT) {
    return Error(ErrorCode::kNotFound, "the folder is not there")
        .at("folder", parent_of(path).string());
  }
  return file_error(error_number, "cannot create a file", path);
}

// A new file beside `path`, under a name that nobody looks for.
Result<PartialFile> open_partial(const std::filesystem::path& path, mode_t mode) {
  std::array<std::byte, 8> random{};
  if (::getrandom(random.data(), random.size(), 0) !=
      static_cast<ssize_t>(random.size())) {
    return file_error(errno, "cannot draw a random name", path);
  }
  PartialFile file;
  file.path = parent_of(path) / (".partial-" + to_hex(random));
  file.descriptor = FileDescriptor(::open(
      file.path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file.descriptor) return cannot_create(errno, path);
  set_mode(file.descriptor.get(), mode);
  return file;
}

// On these, writing past the page cache (O_DIRECT) takes a third of the CPU that
// filling it does. On others it is not to be had, or waits for a network at every
// write.
bool writes_well_directly(int descriptor) {
  struct statfs found {};
  return ::fstatfs(descriptor, &found) == 0 &&
         (found.f_type == EXT4_SUPER_MAGIC || found.f_type == XFS_SUPER_MAGIC);
}

// Bytes in order into a file. From the first large piece on they go past the page cache
// where that is to be had; before it nothing is copied, so that no key is.
class FileStream {
 public:
  explicit FileStream(int descriptor) : descriptor_(descriptor) {}

  /// return  an error number, or 0.
  int append(ByteView bytes) {
    if (state_ == State::kUndecided && bytes.size() >= kLargePiece) {
      const std::size_t gap =
          (kDirectAlignment - position_ % kDirectAlignment) % kDirectAlignment;
      if (const int reason = write_all(bytes.first(gap)); reason != 0) return reason;
      bytes = bytes.subspan(gap);
      decide();
    }
    while (state_ == State::kDirect && !bytes.empty()) {
      const std::size_t size = std::min(bytes.size(), kBufferSize - filled_);
      std::memcpy(buffer_->bytes().data() + filled_, bytes.data(), size);
      filled_ += size;
      bytes = bytes.subspan(size);
      if (filled_ < kBufferSize) return 0;
      if (const int reason = write_buffer(); reason != 0) return reason;
    }
    return write_all(bytes);
  }

  /// What is left, which need not be a multiple of anything.
  int finish() {
    if (state_ == State::kDirect && !set_direct(false)) return errno;
    state_ = State::kThroughCache;
    return write_buffer();
  }

 private:
  enum class State { kUndecided, kDirect, kThroughCache };
  static constexpr std::size_t kLargePiece = 64 * kKiB;
  static constexpr std::size_t kBufferSize = kMiB;

  bool set_direct(bool is_wanted) const {
    const int flags = ::fcntl(descriptor_, F_GETFL);
    return flags >= 0 && ::fcntl(descriptor_, F_SETFL,
                                 is_wanted ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
  }

  void decide() {
    const bool can = writes_well_directly(descriptor_) && set_direct(true);
    state_ = can ? State::kDirect : State::kThroughCache;
    if (can) buffer_.emplace(kBufferSize);
  }

  int write_buffer() {
    const std::size_t size = std::exchange(filled_, 0);
    return size == 0 ? 0 : write_all(buffer_->bytes().first(size));
  }

  int write_all(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      // What a full disk has cut short is no multiple of a block any more.
      const bool is_misfit = written < 0 && errno == EINVAL && state_ == State::kDirect;
      if (is_misfit && set_direct(false)) {
        state_ = State::kThroughCache;
        continue;
      }
      if (written < 0) return errno;
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      position_ += static_cast<std::size_t>(written);
    }
    return 0;
  }

  int descriptor_;
  State state_ = State::kUndecided;
  std::uint64_t position_ = 0;
  std::optional<AlignedBuffer> buffer_;
  std::size_t filled_ = 0;
};

class RealNewFile final : public NewFile {
 public:
  RealNewFile(FileDescriptor descriptor, std::filesystem::path path,
              std::filesystem::path partial)
      : descriptor_(std::move(descriptor)),
        stream_(descriptor_.get()),
        path_(std::move(path)),
        partial_(std::move(partial)) {}
  RealNewFile(const RealNewFile&) = delete;
  RealNewFile& operator=(const RealNewFile&) = delete;
  ~RealNewFile() override { remove_partial(); }

  Status append(ByteView bytes) override {
    const int reason = stream_.append(bytes);
    if (reason != 0) return file_error(reason, "cannot write a file", path_);
    return Done{};
  }

  Status publish() override {
    RETURN_IF_ERROR(make_durable());
    const std::string source =
        partial_.empty() ? unnamed_path(descriptor_.get()) : partial_.string();
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, path_.c_str(),
                 partial_.empty() ? AT_SYMLINK_FOLLOW : 0) != 0) {
      if (errno == EEXIST) {
        return Error(ErrorCode::kBusy, "a file of this name is there already")
            .at("file", path_.string());
      }
      // File systems without hard links (SMB, FAT) can still rename without replacing.
      if (partial_.empty() || ::renameat2(AT_FDCWD, source.c_str(), AT_FDCWD,
                                          path_.c_str(), RENAME_NOREPLACE) != 0) {
        return file_error(errno, "cannot give a file its name", path_);
      }
      partial_.clear();
    }
    remove_partial();
    return sync_directory(parent_of(path_));
  }

  // Only for a file that has a partial name: one without a name cannot take the place
  // of another.
  Status replace() {
    RETURN_IF_ERROR(make_durable());
    if (::rename(partial_.c_str(), path_.c_str()) != 0) {
      return file_error(errno, "cannot replace a file", path_);
    }
    partial_.clear();
    return sync_directory(parent_of(path_));
  }

 private:
  Status make_durable() {
    const int reason = stream_.finish();
    if (reason != 0) return file_error(reason, "cannot write a file", path_);
    if (::fsync(descriptor_.get()) == 0) return Done{};
    return file_error(errno, "cannot make a file durable", path_);
  }

  void remove_partial() {
    if (!partial_.empty()) static_cast<void>(::unlink(partial_.c_str()));
    partial_.clear();
  }

  FileDescriptor descriptor_;
  FileStream stream_;  // After the descriptor that it writes to.
  std::filesystem::path path_;
  std::filesystem::path partial_;  // Empty for a file without a name.
};

class RealFilesystem final : public Filesystem {
 public:
  Result<std::unique_ptr<NewFile>> create(const std::filesystem::path& path,
                                          mode_t mode) override {
    FileDescriptor descriptor = open_unnamed(parent_of(path), mode);
    if (descriptor) {
      return std::unique_ptr<NewFile>(std::make_unique<RealNewFile>(
          std::move(descriptor), path, std::filesystem::path()));
    }
    ASSIGN_OR_RETURN(PartialFile partial, open_partial(path, mode));
    return std::unique_ptr<NewFile>(std::make_unique<RealNewFile>(
        std::move(partial.descriptor), path, std::move(partial.path)));
  }

  Status replace(const std::filesystem::path& path, ByteView bytes,
                 mode_t mode) override {
    ASSIGN_OR_RETURN(PartialFile partial, open_partial(path, mode));
    RealNewFile file(std::move(partial.descriptor), path, std::move(partial.path));
    RETURN_IF_ERROR(file.append(bytes));
    return file.replace();
  }

  Status create_directories(const std::filesystem::path& path, mode_t mode) override {
    if (make_directory(path, mode)) return sync_directory(parent_of(path));
    if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
      RETURN_IF_ERROR(create_directories(path.parent_path(), mode));
      if (make_directory(path, mode)) return sync_directory(parent_of(path));
    }
    struct stat found {};
    const int reason = errno;
    if (reason == EEXIST && ::stat(path.c_str(), &found) == 0 &&
        S_ISDIR(found.st_mode)) {
      return Done{};
    }
    return file_error(reason, "cannot create a folder", path);
  }

  Status remove(const std::filesystem::path& path) override {
    if (::unlink(path.c_str()) == 0) return sync_directory(parent_of(path));
    if (errno == ENOENT) return Done{};
    return file_error(errno, "cannot remove a file", path);
  }
};

}  // namespace

Filesystem& real_filesystem() {
  static RealFilesystem filesystem;
  return filesystem;
}

Status publish(Filesystem& filesystem, const std::filesystem::path& path,
               ByteView bytes, mode_t mode) {
  ASSIGN_OR_RETURN(const std::unique_ptr<NewFile> file, filesystem.create(path, mode));
  RETURN_IF_ERROR(file->append(bytes));
  return file->publish();
}

Result<FileDescriptor> open_regular_file(const std::filesystem::path& path) {
  FileDescriptor file(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) {
    const int reason = errno;
    if (reason == ENOENT || reason == ENOTDIR) {
      return Error(ErrorCode::kNotFound, "the file is not there")
          .at("file", path.string());
    }
    if (reason == ELOOP) {
      return Error(ErrorCode::kRefused, "the file is a symbolic link")
          .at("file", path.string());
    }
    return file_error(reason, "cannot open a file", path);
  }
  struct stat found {};
  if (::fstat(file.get(), &found) != 0)
    return file_error(errno, "cannot examine a file", path);
  if (!S_ISREG(found.st_mode)) {
    return Error(ErrorCode::kRefused, "not a regular file").at("file", path.string());
  }
  return file;
}

Result<Bytes> read_file(const std::filesystem::path& path, std::uint64_t limit) {
  ASSIGN_OR_RETURN(const FileDescriptor file, open_regular_file(path));
  Bytes bytes;
  std::array<std::byte, 64 * kKiB> buffer{};
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error(errno, "cannot read a file", path);
    if (count == 0) return bytes;
    bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + count);
    if (bytes.size() > limit) {
      return Error(ErrorCode::kRefused, "the file is larger than the limit of " +
                                            std::to_string(limit) + " bytes")
          .at("file", path.string());
    }
  }
}

}  // namespace sealift::base
