// Whether a VM was started before, as the repository knows it.
#pragma once

#include <optional>

#include "backup/backup.h"
#include "base/uuid.h"

namespace sealift::backup {

/// The newest snapshot of the VM whose manifest can be read, if the VM had a vTPM state
/// by then. Each snapshot was itself compared with the one before, so one is enough.
/// errors  As catalog::Catalog::list().
base::Result<std::optional<catalog::Snapshot>> find_earlier_state(
    const BackupEnvironment& environment, const base::Uuid& vm);

}  // namespace sealift::backup
