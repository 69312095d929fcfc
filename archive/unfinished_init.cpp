#include "archive/unfinished_init.h"

#include <algorithm>
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

// Whether init makes a file of that name, by its path in the repository.
bool is_made_by_init(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::string parent = path.parent_path().string();
  const bool is_partial = name.starts_with(kPartial);
  if (parent.empty()) return is_partial || name == kSignature;
  return parent == kPages && (is_partial || is_page(name));
}

}  // namespace

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
