#include "backup/earlier_part.h"

#include <algorithm>

#include "archive/snapshot_reader.h"
#include "archive/volume.h"

namespace sealift::backup {

namespace {

base::Result<archive::Manifest> read_manifest(const BackupEnvironment& environment,
                                              const catalog::Snapshot& snapshot) {
  const archive::Repository& repository = environment.repository;
  ASSIGN_OR_RETURN(const archive::ObjectInfo info,
                   repository.store().examine(snapshot.last_volume));
  ASSIGN_OR_RETURN(const archive::Volume last,
                   archive::open_volume(repository.store(), info, repository.id(),
                                        repository.trust()));
  ASSIGN_OR_RETURN(const std::unique_ptr<archive::SnapshotReader> reader,
                   archive::SnapshotReader::open(repository, last, environment.keys,
                                                 nullptr, environment.catalog));
  return reader->manifest();
}

}  // namespace

base::Result<std::optional<catalog::Snapshot>> find_earlier_part(
    const BackupEnvironment& environment, const base::Uuid& vm,
    const std::string& kind) {
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   environment.catalog.list(vm.text()));
  for (const catalog::Snapshot& snapshot : snapshots) {
    const auto manifest = read_manifest(environment, snapshot);
    if (!manifest) continue;  // Damaged, or another's: verify says so, not a backup.
    const auto& held = manifest->components;
    if (std::ranges::find(held, kind, &archive::Component::kind) != held.end()) {
      return std::optional(snapshot);
    }
    if (archive::is_said_absent(manifest.value(), kind)) break;
    // An incomplete one that lost it: the one that holds it is older.
  }
  return std::optional<catalog::Snapshot>();
}

}  // namespace sealift::backup
