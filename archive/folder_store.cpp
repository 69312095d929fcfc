#include "archive/folder_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "archive/folder_path.h"
#include "base/handle.h"

namespace sealift::archive {

namespace {

using base::Error;
using base::ErrorCode;
using Entries = base::Handle<DIR, ::closedir>;

constexpr mode_t kFileMode = 0644;
constexpr mode_t kFolderMode = 0755;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY;

constexpr std::string_view kMakeRoom =
    "look at the cause (is it full, read-only, or gone?), then run the command again";

bool names_file(const Error& error) {
  return std::ranges::find(error.places(), "file", &Error::Place::kind) !=
         error.places().end();
}

// The system's refusal, with what is left behind. Its path ends in the object's name.
Error refused(Error error, std::string_view name, std::string_view left) {
  if (!names_file(error)) error.at("object", name);
  if (error.code() != ErrorCode::kIo) return error;
  return std::move(error).next(std::string(kMakeRoom) + "; " + std::string(left));
}

// A folder that was made for one object, and goes again unless that one is kept. Nobody
// else puts anything there meanwhile: it is an archive's, or a signer's.
class MadeFolder {
 public:
  /// name  Under `folder`, which outlives this; empty: none was made.
  MadeFolder(const FolderPath& folder, std::string name)
      : folder_(&folder), name_(std::move(name)) {}
  MadeFolder(MadeFolder&& other) noexcept
      : folder_(other.folder_), name_(std::exchange(other.name_, {})) {}
  MadeFolder& operator=(MadeFolder&&) = delete;
  ~MadeFolder() {
    if (name_.empty()) return;
    const std::size_t slash = name_.rfind('/');
    const auto above = folder_->open_under(
        slash == std::string::npos ? "" : std::string_view(name_).substr(0, slash),
        O_PATH | O_DIRECTORY);
    if (!above) return;
    // Storage that forbids it keeps an empty folder, which is no harm.
    static_cast<void>(
        ::unlinkat(above->get(), name_.substr(slash + 1).c_str(), AT_REMOVEDIR));
  }

  void keep() { name_.clear(); }

 private:
  const FolderPath* folder_;
  std::string name_;
};

class PendingFile final : public PendingObject {
 public:
  PendingFile(std::unique_ptr<base::NewFile> file, std::string name,
              const FolderPath& folder, MadeFolder made)
      : made_(std::move(made)),
        file_(std::move(file)),
        name_(std::move(name)),
        folder_(folder) {}

  base::Status append(base::ByteView bytes) override {
    auto appended = file_->append(bytes);
    if (appended) return appended;
    return refused(std::move(appended).error(), name_, "nothing visible was left");
  }

  base::Status publish() override {
    RETURN_IF_ERROR(folder_.check_still_there());
    auto published = file_->publish();
    if (published) {
      made_.keep();
      return published;
    }
    return refused(std::move(published).error(), name_, "nothing half-made is visible");
  }

 private:
  MadeFolder made_;  // Goes after the file, which may have another name in it.
  std::unique_ptr<base::NewFile> file_;
  std::string name_;
  const FolderPath& folder_;  ///< The store's, which outlives what it makes.
};

std::string joined(const std::string& folder, std::string_view name) {
  return folder.empty() ? std::string(name) : folder + '/' + std::string(name);
}

class FolderStore final : public ObjectStore {
 public:
  FolderStore(FolderPath folder, base::Filesystem& filesystem)
      : folder_(std::move(folder)), filesystem_(filesystem) {}

  std::string place() const override { return folder_.path().string(); }

  base::Result<std::vector<ObjectInfo>> list(std::string_view prefix) const override;
  base::Result<bool> is_empty() const override;
  base::Result<ObjectInfo> examine(std::string_view name) const override;
  base::Status read(std::string_view name, std::uint64_t offset,
                    std::span<std::byte> bytes) const override;
  base::Result<std::unique_ptr<PendingObject>> create(std::string_view name) override;

 private:
  base::Status list_folder(const std::string& folder, std::string_view prefix,
                           std::vector<ObjectInfo>& found) const;
  base::Result<std::vector<std::string>> names_in(const std::string& folder) const;
  base::Result<base::FileDescriptor> open_file(std::string_view name,
                                               struct stat& found) const;

  FolderPath folder_;
  base::Filesystem& filesystem_;
};

// Names of everything in `folder`; none when it is not there.
base::Result<std::vector<std::string>> FolderStore::names_in(
    const std::string& folder) const {
  std::vector<std::string> names;
  auto opened = folder_.open_under(folder, kFolderFlags);
  if (!opened) {
    if (opened.error().code() == ErrorCode::kNotFound) return names;
    return std::move(opened).error();
  }
  const Entries entries(::fdopendir(opened->get()));
  if (!entries) {
    return base::system_error(errno, "cannot list a folder").at("folder", folder);
  }
  static_cast<void>(opened->release());  // The stream closes it.
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(entries.get());
    if (entry == nullptr && errno != 0) {
      return base::system_error(errno, "cannot list a folder").at("folder", folder);
    }
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

base::Status FolderStore::list_folder(const std::string& folder,
                                      std::string_view prefix,
                                      std::vector<ObjectInfo>& found) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, names_in(folder));
  if (names.empty()) return base::Done{};
  ASSIGN_OR_RETURN(const base::FileDescriptor here,
                   folder_.open_under(folder, O_PATH | O_DIRECTORY));
  for (const std::string& entry : names) {
    const std::string name = joined(folder, entry);
    if (!is_object_name(name)) continue;
    struct stat status {};
    if (::fstatat(here.get(), entry.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return base::system_error(errno, "cannot examine a file").at("object", name);
    }
    if (S_ISDIR(status.st_mode)) {
      // Below `name` lies what begins with "name/": is that on the way to the prefix?
      const std::string below = name + '/';
      const std::size_t common = std::min(below.size(), prefix.size());
      if (below.substr(0, common) == prefix.substr(0, common)) {
        RETURN_IF_ERROR(list_folder(name, prefix, found));
      }
    }
    if (S_ISREG(status.st_mode) && name.starts_with(prefix)) {
      found.push_back({name, static_cast<std::uint64_t>(status.st_size)});
    }
  }
  return base::Done{};
}

base::Result<std::vector<ObjectInfo>> FolderStore::list(std::string_view prefix) const {
  RETURN_IF_ERROR(folder_.check_still_there());
  std::vector<ObjectInfo> found;
  // Begin where the prefix leads, so that a link in its way is named, not passed over.
  const std::size_t slash = prefix.rfind('/');
  const std::string start(slash == std::string_view::npos ? ""
                                                          : prefix.substr(0, slash));
  if (!start.empty()) {
    if (!is_object_name(start)) return found;
    const auto opened = folder_.open_under(start, O_PATH | O_DIRECTORY);
    if (!opened && opened.error().code() == ErrorCode::kNotFound) return found;
    if (!opened) return opened.error();
  }
  RETURN_IF_ERROR(list_folder(start, prefix, found));
  std::ranges::sort(found, {}, &ObjectInfo::name);
  return found;
}

base::Result<bool> FolderStore::is_empty() const {
  RETURN_IF_ERROR(folder_.check_still_there());
  ASSIGN_OR_RETURN(const std::vector<std::string> names, names_in(""));
  // A fresh ext4 has it, and nobody's data lies in it.
  return std::ranges::all_of(
      names, [](const std::string& name) { return name == "lost+found"; });
}

base::Result<base::FileDescriptor> FolderStore::open_file(std::string_view name,
                                                          struct stat& found) const {
  RETURN_IF_ERROR(folder_.check_still_there());
  if (!is_object_name(name)) {
    return Error(ErrorCode::kNotFound, "no object can have this name")
        .at("object", name);
  }
  ASSIGN_OR_RETURN(base::FileDescriptor file, folder_.open_under(name, O_RDONLY));
  if (::fstat(file.get(), &found) != 0) {
    return base::system_error(errno, "cannot examine a file").at("object", name);
  }
  if (!S_ISREG(found.st_mode)) {
    return Error(ErrorCode::kNotFound, "the object is not there")
        .at("object", name)
        .at("repository", place());
  }
  return file;
}

base::Result<ObjectInfo> FolderStore::examine(std::string_view name) const {
  struct stat found {};
  ASSIGN_OR_RETURN(const base::FileDescriptor file, open_file(name, found));
  return ObjectInfo{std::string(name), static_cast<std::uint64_t>(found.st_size)};
}

base::Status FolderStore::read(std::string_view name, std::uint64_t offset,
                               std::span<std::byte> bytes) const {
  struct stat found {};
  ASSIGN_OR_RETURN(const base::FileDescriptor file, open_file(name, found));
  const auto size = static_cast<std::uint64_t>(found.st_size);
  const bool ends_before = offset > size || bytes.size() > size - offset;
  while (!ends_before && !bytes.empty()) {
    const ssize_t count =
        ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return base::system_error(errno, "cannot read a file")
          .at("object", name)
          .at("repository", place());
    }
    if (count == 0) break;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  if (!ends_before && bytes.empty()) return base::Done{};
  return Error(ErrorCode::kCorrupt, "the object ends too early")
      .at("offset", std::to_string(offset))
      .at("object", name)
      .at("repository", place());
}

base::Result<std::unique_ptr<PendingObject>> FolderStore::create(
    std::string_view name) {
  if (!is_object_name(name)) {
    return Error(ErrorCode::kDefect, "no object can have this name").at("object", name);
  }
  RETURN_IF_ERROR(folder_.check_still_there());
  // Part by part: a missing folder is made below the repository, never the repository
  // itself, and a link in the way is refused.
  std::string made;
  for (std::size_t at = name.find('/'); at != std::string_view::npos;
       at = name.find('/', at + 1)) {
    const std::string_view part = name.substr(0, at);
    const auto opened = folder_.open_under(part, O_PATH | O_DIRECTORY);
    if (opened) continue;
    if (opened.error().code() != ErrorCode::kNotFound) return opened.error();
    auto created = filesystem_.create_directories(folder_.path() / part, kFolderMode);
    if (!created) {
      return refused(std::move(created).error(), name, "nothing visible was left");
    }
    made = part;
  }
  MadeFolder made_folder(folder_, std::move(made));
  auto file = filesystem_.create(folder_.path() / name, kFileMode);
  if (!file) return refused(std::move(file).error(), name, "nothing visible was left");
  return std::unique_ptr<PendingObject>(std::make_unique<PendingFile>(
      std::move(file).value(), std::string(name), folder_, std::move(made_folder)));
}

}  // namespace

base::Result<std::unique_ptr<ObjectStore>> open_folder(
    const std::filesystem::path& folder, base::Filesystem& filesystem) {
  ASSIGN_OR_RETURN(FolderPath path, FolderPath::open(folder));
  return std::unique_ptr<ObjectStore>(
      std::make_unique<FolderStore>(std::move(path), filesystem));
}

}  // namespace sealift::archive
