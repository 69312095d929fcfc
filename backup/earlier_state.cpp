#include "backup/earlier_state.h"

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

bool holds_state(const archive::Manifest& manifest) {
  return std::ranges::find(manifest.components, "guest-state",
                           &archive::Component::kind) != manifest.components.end();
}

bool says_never_started(const archive::Manifest& manifest) {
  return std::ranges::any_of(manifest.verdicts, [](const archive::Verdict& verdict) {
    return verdict.component == "guest-state" && verdict.state == "absent";
  });
}

}  // namespace

base::Result<std::optional<catalog::Snapshot>> find_earlier_state(
    const BackupEnvironment& environment, const base::Uuid& vm) {
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   environment.catalog.list(vm.text()));
  for (const catalog::Snapshot& snapshot : snapshots) {
    const auto manifest = read_manifest(environment, snapshot);
    if (!manifest) continue;  // Damaged, or another's: verify says so, not a backup.
    if (holds_state(manifest.value())) return std::optional(snapshot);
    if (says_never_started(manifest.value())) return std::optional<catalog::Snapshot>();
    // An incomplete one that lost it: the one that holds it is older.
  }
  return std::optional<catalog::Snapshot>();
}

}  // namespace sealift::backup
