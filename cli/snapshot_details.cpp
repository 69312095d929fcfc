#include "cli/snapshot_details.h"

#include "archive/volume_set.h"

namespace sealift::cli {

namespace {

base::Result<archive::Volume> open_last_volume(const archive::Repository& repository,
                                               const catalog::Snapshot& snapshot) {
  const auto object = repository.store().examine(snapshot.last_volume);
  if (!object) {
    return archive::missing_is_corrupt(object.error(), snapshot.last_volume)
        .at("repository", repository.store().place())
        .next(
            "bring it back from a copy of the repository; without it nobody knows "
            "what the snapshot holds");
  }
  return archive::open_volume(repository.store(), object.value(), repository.id(),
                              repository.trust());
}

base::Status find_own_volumes(const OpenRepository& open, SnapshotDetails& details) {
  for (std::uint32_t number = 1; number <= details.snapshot.volumes; ++number) {
    const std::string name = archive::volume_name(details.snapshot.id, number);
    if (details.loss.volumes.contains(name)) continue;
    ASSIGN_OR_RETURN(archive::ObjectInfo volume, open.repository.store().examine(name));
    details.own_volumes.push_back(std::move(volume));
  }
  return base::Done{};
}

}  // namespace

base::Result<SnapshotDetails> read_details(const Session& session,
                                           const OpenRepository& open,
                                           const catalog::Snapshot& snapshot) {
  const std::stop_token& stop = session.surroundings().stop;
  ASSIGN_OR_RETURN(const archive::RepositoryKeys* const keys, keys_of(open));
  ASSIGN_OR_RETURN(const archive::Volume last,
                   open_last_volume(open.repository, snapshot));
  ASSIGN_OR_RETURN(archive::ParsedManifest parsed, archive::open_manifest(last, *keys));
  SnapshotDetails details{snapshot, std::move(parsed.manifest), {}, {}, {}, {}};
  ASSIGN_OR_RETURN(const std::unique_ptr<archive::SnapshotReader> reader,
                   archive::SnapshotReader::open(open.repository.source(), last, *keys,
                                                 nullptr, *open.catalog));
  std::set<std::string> needed;
  if (auto found = reader->volumes_needed(stop)) {
    needed.insert(found->begin(), found->end());
  } else if (found.error().code() == base::ErrorCode::kCorrupt) {
    details.restore_error = std::move(found).error();
  } else {
    return std::move(found).error();
  }
  if (details.restore_error || snapshot.verdict == "damaged") {
    ASSIGN_OR_RETURN(details.loss, LossFinder(open, &needed).find(snapshot, stop));
  }
  RETURN_IF_ERROR(find_own_volumes(open, details));
  for (const std::string& name : needed) {
    const auto parts = archive::parse_volume_name(name);
    if (!parts || parts->archive != snapshot.id) details.other_volumes.push_back(name);
  }
  return details;
}

}  // namespace sealift::cli
