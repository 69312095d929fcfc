#include "archive/unfinished_init.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "archive/format_pages.h"

namespace sealift::archive {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPages = "format";
constexpr std::string_view kSignature = "repository.json.sig";
constexpr std::string_view kPartial = ".partial-";

bool is_page(const std::string& name) {
  return std::ranges::any_of(format_pages(),
                             [&](const FormatPage& page) { return page.name == name; });
}

// As base/filesystem.cpp draws them: 8 random bytes in hexadecimal.
bool is_partial_name(const std::string& name) {
  constexpr std::size_t kDigits = 16;
  return name.starts_with(kPartial) && name.size() == kPartial.size() + kDigits &&
         name.find_first_not_of("0123456789abcdef", kPartial.size()) ==
             std::string::npos;
}

// Whether init makes a file of that name, by its path in the repository.
bool is_made_by_init(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::string parent = path.parent_path().string();
  const bool is_partial = is_partial_name(name);
  if (parent.empty()) return is_partial || name == kSignature;
  return parent == kPages && (is_partial || is_page(name));
}

}  // namespace

base::Result<base::FileDescriptor> lock_for_init(const fs::path& folder) {
  base::FileDescriptor opened(
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) {
    return base::system_error(errno, "cannot open a folder")
        .at("folder", folder.string());
  }
  // Storage that knows no locks (some NFS) refuses with another reason: go on without.
  if (::flock(opened.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return base::Error(base::ErrorCode::kBusy, "another `repo init` is at work here")
        .at("folder", folder.string())
        .next("see what it made with `sealift repo show`");
  }
  return opened;
}

base::Status clear_unfinished_init(const fs::path& folder) {
  std::error_code failure;
  std::vector<fs::path> left;
  for (fs::recursive_directory_iterator at(folder, failure), end; !failure && at != end;
       at.increment(failure)) {
    const fs::path path = at->path().lexically_relative(folder);
    const fs::file_type type = at->symlink_status(failure).type();
    const bool is_ours = type == fs::file_type::directory
                             ? path == kPages
                             : type == fs::file_type::regular && is_made_by_init(path);
    if (failure || !is_ours) return base::Done{};
    left.push_back(at->path());
  }
  // What cannot be looked at is for the caller to find: it opens the folder next.
  if (failure) return base::Done{};
  std::ranges::reverse(left);  // Files before their folder.
  for (const fs::path& path : left) {
    if (fs::remove(path, failure) || !failure) continue;
    return base::Error(base::ErrorCode::kIo,
                       "cannot remove what an interrupted `repo init` left")
        .at("file", path.string())
        .because(failure.message());
  }
  return base::Done{};
}

}  // namespace sealift::archive
