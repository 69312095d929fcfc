#include "archive/folder_path.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

namespace sealift::archive {

namespace {

using base::Error;
using base::ErrorCode;

Error not_there(const std::filesystem::path& path, std::string what) {
  return Error(ErrorCode::kNotFound, std::move(what))
      .at("folder", path.string())
      .next("mount it if it is not mounted, then run the command again");
}

bool is_symbolic_link(int folder, const std::string& name) {
  struct stat found {};
  return ::fstatat(folder, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISLNK(found.st_mode);
}

Error cannot_open(int folder, const std::string& part, int reason) {
  if (is_symbolic_link(folder, part)) {
    return {ErrorCode::kCorrupt,
            "a symbolic link lies where an object of the repository belongs"};
  }
  if (reason == ENOENT || reason == ENOTDIR) {
    return {ErrorCode::kNotFound, "the object is not there"};
  }
  return base::system_error(reason, "cannot open an object");
}

}  // namespace

base::Result<FolderPath> FolderPath::open(const std::filesystem::path& path) {
  base::FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) return FolderPath(path, std::move(folder));
  const int reason = errno;
  std::error_code ignored;
  if (reason == ENOTDIR && std::filesystem::exists(path, ignored)) {
    return Error(ErrorCode::kNotFound, "this is not a folder")
        .at("path", path.string());
  }
  if (reason == ENOENT || reason == ENOTDIR) {
    return not_there(path, "the folder is not there");
  }
  return base::system_error(reason, "cannot open a folder").at("folder", path.string());
}

base::Status FolderPath::check_still_there() const {
  struct stat opened {};
  struct stat found {};
  if (::fstat(folder_.get(), &opened) != 0 || ::stat(path_.c_str(), &found) != 0 ||
      opened.st_dev != found.st_dev || opened.st_ino != found.st_ino ||
      found.st_nlink == 0) {
    return not_there(path_, "the folder is no longer the one that was opened");
  }
  return base::Done{};
}

base::Result<base::FileDescriptor> FolderPath::open_under(std::string_view name,
                                                          int flags) const {
  const int safe = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  base::FileDescriptor folder;
  int above = folder_.get();
  std::string_view rest = name.empty() ? std::string_view(".") : name;
  for (;;) {
    const std::size_t slash = rest.find('/');
    const std::string part(rest.substr(0, slash));
    const bool is_last = slash == std::string_view::npos;
    base::FileDescriptor next(
        ::openat(above, part.c_str(), (is_last ? flags : O_PATH | O_DIRECTORY) | safe));
    if (!next) {
      const int reason = errno;
      return cannot_open(above, part, reason)
          .at("object", name)
          .at("repository", path_.string());
    }
    if (is_last) return next;
    folder = std::move(next);
    above = folder.get();
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace sealift::archive
