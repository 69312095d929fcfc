#include "restore/snapshot_contents.h"

#include <algorithm>

#include "restore/restore.h"
#include "restore/volume_checks.h"

namespace sealift::restore {

base::Result<std::unique_ptr<archive::SnapshotReader>> open_snapshot(
    const SnapshotPlace& place, const catalog::Snapshot& snapshot,
    const keyvault::RecoveryKey* identity) {
  ASSIGN_OR_RETURN(const archive::Volume last,
                   open_believed(place.repository, snapshot.last_volume));
  if (!last.snapshot || last.archive != snapshot.id) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "a volume holds another snapshot than the catalog says")
        .at("volume", snapshot.last_volume)
        .at("snapshot", snapshot.id.hex())
        .next("make the catalog anew: sealift catalog rebuild");
  }
  base::Result<std::unique_ptr<archive::SnapshotReader>> reader =
      archive::SnapshotReader::open(place.repository, last, place.keys, identity,
                                    place.locator);
  if (reader) return reader;
  return std::move(reader).error().at("snapshot", snapshot.id.hex());
}

base::Result<std::string> platform_of(const RestoreEnvironment& environment,
                                      const catalog::Snapshot& snapshot) {
  ASSIGN_OR_RETURN(const archive::Volume last,
                   open_believed(environment.repository, snapshot.last_volume));
  ASSIGN_OR_RETURN(const archive::ParsedManifest parsed,
                   archive::open_manifest(last, environment.keys));
  return parsed.manifest.platform;
}

base::Result<std::vector<std::string>> volumes_of(const archive::SnapshotReader& reader,
                                                  const catalog::Snapshot& snapshot,
                                                  std::stop_token stop) {
  ASSIGN_OR_RETURN(std::vector<std::string> names,
                   reader.volumes_needed(std::move(stop)));
  for (std::uint32_t number = 1; number <= snapshot.volumes; ++number) {
    names.push_back(archive::volume_name(snapshot.id, number));
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

base::Result<base::Bytes> read_component(const archive::SnapshotReader& reader,
                                         const archive::Component& component) {
  base::Result<base::Bytes> content = reader.read_whole(component, kSmallFileLimit);
  if (content) return content;
  return std::move(content).error().at("component",
                                       component.kind + " " + component.name);
}

}  // namespace sealift::restore
