#include "vm/private_keys.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/byte_count.h"
#include "keyvault/secret_file.h"
#include "vm/hyperv_files.h"

namespace sealift::vm {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 10'000;
constexpr std::size_t kLargest = 64 * base::kKiB;  // Of a PEM file.
constexpr std::string_view kMark = "PRIVATE KEY-----";

// UTF-16 of either order has a zero byte between two letters.
std::string as_utf16(std::string_view text) {
  std::string wide;
  for (const char c : text) wide += std::string{'\0', c};
  return wide.substr(1);
}

bool holds_private_key(const fs::path& file) {
  const auto text =
      keyvault::read_secret_file(file, kLargest, keyvault::SecretFilePlace::kRegular);
  if (!text) return false;
  const std::string_view view = base::as_text(text->view());
  return view.find(kMark) != std::string_view::npos ||
         view.find(as_utf16(kMark)) != std::string_view::npos;
}

bool is_named_as_pem(const fs::path& file) {
  const std::string ending = lower_case(file.extension().string());
  return ending == ".pem" || ending == ".key";
}

bool may_be_key(const fs::directory_entry& entry) {
  std::error_code failure;
  const bool is_file = entry.symlink_status(failure).type() == fs::file_type::regular;
  if (failure || !is_file) return false;
  const std::uintmax_t size = entry.file_size(failure);
  return !failure && size >= kMark.size() && size <= kLargest;
}

}  // namespace

std::vector<fs::path> private_keys_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failure;
  std::size_t seen = 0;
  constexpr auto kOptions = fs::directory_options::skip_permission_denied;
  for (auto entry = fs::recursive_directory_iterator(folder, kOptions, failure);
       !failure && entry != fs::recursive_directory_iterator() && seen < kMostFiles;
       entry.increment(failure), ++seen) {
    if (may_be_key(*entry) && holds_private_key(entry->path())) {
      found.push_back(entry->path());
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<fs::path> private_keys_beside(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failure;
  std::size_t seen = 0;
  for (auto entry = fs::directory_iterator(folder.parent_path(), failure);
       !failure && entry != fs::directory_iterator() && seen < kMostFiles;
       entry.increment(failure), ++seen) {
    const bool is_key = is_named_as_pem(entry->path()) && may_be_key(*entry) &&
                        holds_private_key(entry->path());
    if (is_key) found.push_back(entry->path());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace sealift::vm
