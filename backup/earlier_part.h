// Whether a VM had a part before, as the repository knows it.
#pragma once

#include <optional>
#include <string>

#include "backup/backup.h"
#include "base/uuid.h"

namespace sealift::backup {

/// The newest snapshot of the VM that holds a component of this kind ("guest-state",
/// "firmware-vars"). Looks no further back than to one that says that the VM has none:
/// it was itself compared with those before.
/// errors  As catalog::Catalog::list().
base::Result<std::optional<catalog::Snapshot>> find_earlier_part(
    const BackupEnvironment& environment, const base::Uuid& vm,
    const std::string& kind);

}  // namespace sealift::backup
