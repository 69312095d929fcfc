#include "backup/stored_snapshot.h"

#include "archive/volume.h"

namespace sealift::backup {

base::Result<std::unique_ptr<archive::SnapshotReader>> open_stored(
    const BackupEnvironment& environment, const catalog::Snapshot& snapshot) {
  const archive::Repository& repository = environment.repository;
  ASSIGN_OR_RETURN(const archive::ObjectInfo info,
                   repository.store().examine(snapshot.last_volume));
  ASSIGN_OR_RETURN(const archive::Volume last,
                   archive::open_volume(repository.store(), info, repository.id(),
                                        repository.trust()));
  return archive::SnapshotReader::open(repository.source(), last, environment.keys,
                                       nullptr, environment.catalog);
}

}  // namespace sealift::backup
