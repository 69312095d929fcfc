// Folders that a restore makes, remembered to be taken away.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "restore/undo.h"

namespace sealift::restore {

/// Makes `path`, which must not be there; `undo` removes it with whatever came into it.
/// errors  kRefused: it is there, or a symlink is.  kIo.
base::Status make_new_folder(const std::filesystem::path& path, mode_t mode,
                             Undo& undo);

/// Makes `path` and the folders above it that are missing; `undo` removes those that
/// were, if they are empty again.
/// errors  kIo.
base::Status make_missing_folders(const std::filesystem::path& path, mode_t mode,
                                  Undo& undo);

/// Gives `path` to the user and group that swtpm runs as (tss), where there are such.
/// libvirt does the same when the VM starts.
/// errors  kIo.
base::Status give_to_swtpm(const std::filesystem::path& path);

}  // namespace sealift::restore
