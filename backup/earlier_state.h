// Whether a VM was started before, as the repository knows it.
#pragma once

#include <optional>

#include "backup/backup.h"
#include "base/uuid.h"

namespace sealift::backup {

/// The newest snapshot of the VM that holds its vTPM state. Looks no further back than
/// to one that says that the VM was never started: it was itself compared with those
/// before.
/// errors  As catalog::Catalog::list().
base::Result<std::optional<catalog::Snapshot>> find_earlier_state(
    const BackupEnvironment& environment, const base::Uuid& vm);

}  // namespace sealift::backup
