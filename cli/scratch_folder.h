// The folder of --scratch-dir, before anything is asked of libvirt.
#pragma once

#include <filesystem>
#include <optional>

#include "cli/command.h"

namespace sealift::cli {

/// Absolute, as libvirt wants it; none where the option is not given.
/// errors  kNotFound: it is not there.  kRefused: it is no folder.  kIo: nobody can
/// say.
base::Result<std::optional<std::filesystem::path>> scratch_folder(const Values& values);

}  // namespace sealift::cli
