#include "restore/new_folder.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <system_error>
#include <vector>

#include "base/file_descriptor.h"

namespace sealift::restore {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSwtpmAccount = "tss";
constexpr std::size_t kAccountBuffer = 16384;

base::Error cannot_make(int error_number, const fs::path& path) {
  return base::system_error(error_number, "cannot make a folder")
      .at("folder", path.string());
}

base::Status make_folder(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno != EEXIST) return cannot_make(errno, path);
    return base::Error(base::ErrorCode::kRefused,
                       "a folder is there already and is left as it is")
        .at("folder", path.string());
  }
  // umask may have taken bits away.
  const base::FileDescriptor folder(
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const base::FileDescriptor parent(
      ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || !parent || ::fchmod(folder.get(), mode) != 0 ||
      ::fsync(parent.get()) != 0) {
    const int error_number = errno;
    static_cast<void>(::rmdir(path.c_str()));
    return cannot_make(error_number, path);
  }
  return base::Done{};
}

std::optional<uid_t> user_id() {
  std::array<char, kAccountBuffer> words{};
  passwd entry{};
  passwd* found = nullptr;
  ::getpwnam_r(kSwtpmAccount, &entry, words.data(), words.size(), &found);
  if (found == nullptr) return std::nullopt;
  return found->pw_uid;
}

std::optional<gid_t> group_id() {
  std::array<char, kAccountBuffer> words{};
  group entry{};
  group* found = nullptr;
  ::getgrnam_r(kSwtpmAccount, &entry, words.data(), words.size(), &found);
  if (found == nullptr) return std::nullopt;
  return found->gr_gid;
}

}  // namespace

base::Status make_new_folder(const fs::path& path, mode_t mode, Undo& undo) {
  RETURN_IF_ERROR(make_folder(path, mode));
  undo.add("folder " + path.string(), [path]() -> base::Status {
    std::error_code failure;
    fs::remove_all(path, failure);
    if (!failure) return base::Done{};
    return base::system_error(failure.value(), "cannot remove a folder");
  });
  return base::Done{};
}

base::Status make_missing_folders(const fs::path& path, mode_t mode, Undo& undo) {
  std::vector<fs::path> missing;
  std::error_code ignored;
  for (fs::path at = path; !at.empty() && !fs::exists(at, ignored);
       at = at.parent_path()) {
    missing.push_back(at);
    if (at == at.parent_path()) break;
  }
  for (; !missing.empty(); missing.pop_back()) {
    const fs::path folder = missing.back();
    RETURN_IF_ERROR(make_folder(folder, mode));
    undo.add("folder " + folder.string(), [folder]() -> base::Status {
      // Not ours alone any more if something else came into it.
      if (::rmdir(folder.c_str()) == 0 || errno == ENOTEMPTY || errno == ENOENT) {
        return base::Done{};
      }
      return base::system_error(errno, "cannot remove a folder");
    });
  }
  return base::Done{};
}

base::Status give_to_swtpm(const fs::path& path) {
  // Only root can give files away; libvirt will when the VM starts.
  if (::geteuid() != 0) return base::Done{};
  const std::optional<uid_t> user = user_id();
  const std::optional<gid_t> group = group_id();
  if (!user || !group) return base::Done{};
  if (::lchown(path.c_str(), *user, *group) == 0) return base::Done{};
  return base::system_error(errno, "cannot give a file to the user of swtpm")
      .at("file", path.string());
}

}  // namespace sealift::restore
