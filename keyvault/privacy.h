// Who can get at a file or a folder of secrets.
#pragma once

#include <sys/stat.h>

#include <filesystem>

#include "base/result.h"

namespace sealift::keyvault {

/// errors  kRefused: `found`, the status of `path`, belongs to another user, or others
///         can read or write it; the error names it and the command that helps.
base::Status check_private(const std::filesystem::path& path, const struct stat& found);

}  // namespace sealift::keyvault
