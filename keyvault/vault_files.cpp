#include "keyvault/vault_files.h"

#include <algorithm>
#include <system_error>

namespace sealift::keyvault {

base::Result<std::vector<std::filesystem::path>> entries_of(
    const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  std::error_code reason;
  std::filesystem::directory_iterator entry(folder, reason);
  if (reason == std::errc::no_such_file_or_directory) return entries;
  while (!reason && entry != std::filesystem::directory_iterator()) {
    entries.push_back(entry->path());
    entry.increment(reason);
  }
  if (reason) {
    return base::Error(base::ErrorCode::kIo, "cannot read a folder")
        .at("folder", folder.string())
        .because(reason.message());
  }
  std::ranges::sort(entries);
  return entries;
}

}  // namespace sealift::keyvault
