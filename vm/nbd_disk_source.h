// A disk read from a pull-mode backup job.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "vm/description.h"
#include "vm/disk_source.h"
#include "vm/guard_process.h"

namespace sealift::vm {

using ExplainFailure = std::function<base::Error(base::Error)>;

/// The disk as QEMU's NBD server at `socket` exports it. Connections are opened when
/// they are first needed, and stay open until the guard ends them.
///
/// explain  Says why reading failed, if something outside ended it; else returns the
///          error as it is.
/// bitmap  What the job exports of what changed; empty: nothing.
/// guard  Gets a copy of each socket before anything is said on it; outlives the
///        source.
/// most_connections  1 or more; with a bitmap one more, unless it is 1.
std::unique_ptr<DiskSource> open_pulled_disk(
    const Disk& disk, const std::filesystem::path& socket, const std::string& bitmap,
    GuardProcess& guard, unsigned most_connections, ExplainFailure explain);

}  // namespace sealift::vm
