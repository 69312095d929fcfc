#include "cli/snapshot_details.h"

namespace sealift::cli {

base::Result<SnapshotDetails> read_details(const Session& session,
                                           const OpenRepository& open,
                                           const catalog::Snapshot& snapshot) {
  const archive::Repository& repository = open.repository;
  ASSIGN_OR_RETURN(const archive::RepositoryKeys* const keys, keys_of(open));
  ASSIGN_OR_RETURN(const archive::ObjectInfo object,
                   repository.store().examine(snapshot.last_volume));
  ASSIGN_OR_RETURN(const archive::Volume last,
                   archive::open_volume(repository.store(), object, repository.id(),
                                        repository.trust()));
  ASSIGN_OR_RETURN(archive::ParsedManifest parsed, archive::open_manifest(last, *keys));
  SnapshotDetails details{snapshot, std::move(parsed.manifest), {}, {}};
  for (std::uint32_t number = 1; number <= last.number; ++number) {
    ASSIGN_OR_RETURN(
        archive::ObjectInfo volume,
        repository.store().examine(archive::volume_name(snapshot.id, number)));
    details.own_volumes.push_back(std::move(volume));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<archive::SnapshotReader> reader,
                   archive::SnapshotReader::open(repository.source(), last, *keys,
                                                 nullptr, *open.catalog));
  ASSIGN_OR_RETURN(const std::vector<std::string> needed,
                   reader->volumes_needed(session.surroundings().stop));
  for (const std::string& name : needed) {
    const auto parts = archive::parse_volume_name(name);
    if (!parts || parts->archive != snapshot.id) details.other_volumes.push_back(name);
  }
  return details;
}

}  // namespace sealift::cli
