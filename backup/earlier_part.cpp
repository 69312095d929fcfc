#include "backup/earlier_part.h"

#include <algorithm>

#include "backup/stored_snapshot.h"

namespace sealift::backup {

base::Result<std::optional<catalog::Snapshot>> find_earlier_part(
    const BackupEnvironment& environment, const base::Uuid& vm,
    const std::string& kind) {
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   environment.catalog.list(vm.text()));
  for (const catalog::Snapshot& snapshot : snapshots) {
    const auto reader = open_stored(environment, snapshot);
    if (!reader) continue;  // Damaged, or another's: verify says so, not a backup.
    const archive::Manifest& manifest = reader.value()->manifest();
    const auto& held = manifest.components;
    if (std::ranges::find(held, kind, &archive::Component::kind) != held.end()) {
      return std::optional(snapshot);
    }
    if (archive::is_said_absent(manifest, kind)) break;
    // An incomplete one that lost it: the one that holds it is older.
  }
  return std::optional<catalog::Snapshot>();
}

}  // namespace sealift::backup
