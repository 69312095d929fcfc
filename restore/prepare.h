// Making a plan for a cluster that need not be libvirt's.
#pragma once

#include <memory>
#include <stop_token>

#include "base/filesystem.h"
#include "restore/restore.h"
#include "restore/target.h"

namespace sealift::restore {

/// prepare_restore() with the target and the file system given. `filesystem` and what
/// `environment` refers to outlive the result.
base::Result<std::unique_ptr<PreparedRestore>> prepare_restore_on(
    std::unique_ptr<Target> target, base::Filesystem& filesystem,
    const RestoreEnvironment& environment, const RestoreRequest& request,
    const std::stop_token& stop);

}  // namespace sealift::restore
