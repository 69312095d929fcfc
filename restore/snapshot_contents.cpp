#include "restore/snapshot_contents.h"

#include <algorithm>

#include "restore/restore.h"
#include "restore/volume_checks.h"

namespace sealift::restore {

base::Result<std::unique_ptr<archive::SnapshotReader>> open_snapshot(
    const SnapshotPlace& place, const catalog::Snapshot& snapshot,
    const keyvault::RecoveryKey* identity) {
  ASSIGN_OR_RETURN(const archive::Volume last,
                   open_believed(place.source, snapshot.last_volume));
  if (!last.snapshot || last.archive != snapshot.id) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "a volume holds another snapshot than the catalog says")
        .at("volume", snapshot.last_volume)
        .at("snapshot", snapshot.id.hex())
        .next("make the catalog anew: sealift catalog rebuild");
  }
  base::Result<std::unique_ptr<archive::SnapshotReader>> reader =
      place.keys != nullptr
          ? archive::SnapshotReader::open(place.source, last, *place.keys, identity,
                                          place.locator)
          : archive::SnapshotReader::open(place.source, last, *identity, place.locator);
  if (reader) return reader;
  return std::move(reader).error().at("snapshot", snapshot.id.hex());
}

base::Result<std::string> platform_of(const RestoreEnvironment& environment,
                                      const catalog::Snapshot& snapshot) {
  const SnapshotPlace& place = environment.place;
  ASSIGN_OR_RETURN(const archive::Volume last,
                   open_believed(place.source, snapshot.last_volume));
  ASSIGN_OR_RETURN(const archive::ParsedManifest parsed,
                   place.keys != nullptr
                       ? archive::open_manifest(last, *place.keys)
                       : archive::open_manifest(last, environment.identity));
  return parsed.manifest.platform;
}

base::Result<std::vector<std::string>> volumes_of(const SnapshotPlace& place,
                                                  const archive::SnapshotReader& reader,
                                                  const catalog::Snapshot& snapshot,
                                                  std::stop_token stop) {
  ASSIGN_OR_RETURN(std::vector<std::string> names,
                   reader.volumes_needed(std::move(stop)));
  const std::uint32_t own = place.archives == Archives::kWhole ? snapshot.volumes : 0;
  for (std::uint32_t number = 1; number <= own; ++number) {
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
