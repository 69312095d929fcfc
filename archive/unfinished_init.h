// What an interrupted `repo init` leaves.
#pragma once

#include <filesystem>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace sealift::archive {

/// Held by the one init that works in `folder`, until the descriptor is closed: a
/// second one would clear what the first has made so far. errors  kBusy: another holds
/// it.  kIo.
base::Result<base::FileDescriptor> lock_for_init(const std::filesystem::path& folder);

/// Empties `folder` if it holds nothing but what an init left that did not come to
/// repository.json: format pages, a signature, partial files. Anything else that is
/// there, and a repository, stays untouched; so does a folder that is not there.
/// errors  kIo.
base::Status clear_unfinished_init(const std::filesystem::path& folder);

}  // namespace sealift::archive
