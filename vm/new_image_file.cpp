#include "vm/new_image_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace sealift::vm {

base::Result<NewImageFile> NewImageFile::claim(const std::filesystem::path& path) {
  if (!path.is_absolute()) {
    return base::Error(base::ErrorCode::kRefused, "a disk image needs an absolute path")
        .at("file", path.string());
  }
  base::FileDescriptor descriptor(
      ::open(path.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600));
  if (descriptor) return NewImageFile(path, std::move(descriptor));
  if (errno == EEXIST) {
    return base::Error(base::ErrorCode::kRefused,
                       "a file is there already and is left as it is")
        .at("file", path.string())
        .next("move it away, or choose another folder with --storage-dir");
  }
  if (errno == ENOENT) {
    return base::Error(base::ErrorCode::kNotFound, "the folder is not there")
        .at("folder", path.parent_path().string());
  }
  return base::system_error(errno, "cannot create a disk image")
      .at("file", path.string());
}

NewImageFile::~NewImageFile() {
  if (descriptor_ && !is_kept_ && is_still_there()) {
    static_cast<void>(::unlink(path_.c_str()));
  }
}

bool NewImageFile::is_still_there() const {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor_.get(), &opened) == 0 &&
         ::lstat(path_.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

base::Status NewImageFile::keep() {
  if (!is_still_there()) {
    return base::Error(base::ErrorCode::kIo,
                       "the disk image was replaced while it was written")
        .at("file", path_.string());
  }
  if (::fsync(descriptor_.get()) != 0) {
    return base::system_error(errno, "cannot make a disk image durable")
        .at("file", path_.string());
  }
  const base::FileDescriptor folder(
      ::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) {
    return base::system_error(errno, "cannot make a folder's entries durable")
        .at("folder", path_.parent_path().string());
  }
  is_kept_ = true;
  return base::Done{};
}

}  // namespace sealift::vm
