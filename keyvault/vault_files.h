// Where things lie in a key vault's folder, and listing them.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <vector>

#include "base/result.h"

namespace sealift::keyvault {

constexpr mode_t kVaultFolderMode = 0700;
constexpr mode_t kVaultFileMode = 0600;

/// The names in `folder`, sorted; none when it is not there.
/// errors  kIo.
base::Result<std::vector<std::filesystem::path>> entries_of(
    const std::filesystem::path& folder);

}  // namespace sealift::keyvault
