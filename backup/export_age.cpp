#include "backup/export_age.h"

#include <algorithm>

#include "backup/stored_snapshot.h"

namespace sealift::backup {

namespace {

constexpr const char* kExported = "exported";
constexpr const char* kNewestFile = "newest_file";
constexpr std::int64_t kNanoseconds = 1'000'000'000;

base::Timestamp newest_file(const ExportScene& scene, const vm::HypervVm& vm) {
  std::int64_t newest = 0;
  for (const std::size_t at : vm.files) {
    newest = std::max(newest, scene.found.files[at].stamp.modified);
  }
  return base::Timestamp(newest / kNanoseconds);
}

// A snapshot was taken after its export was made, whatever the cluster's clock said.
std::optional<ExportTime> time_in(const archive::Manifest& manifest) {
  for (const char* const fact : {kExported, kNewestFile}) {
    const auto found = manifest.consistency.find(fact);
    if (found == manifest.consistency.end()) continue;
    const auto time = base::Timestamp::parse_stored(found->second);
    if (!time) continue;
    return ExportTime{std::min(time.value(), manifest.created), fact == kExported};
  }
  return std::nullopt;
}

std::string text_of(const ExportTime& time) {
  return time.at.text() + (time.is_said ? "" : ", going by its newest file");
}

}  // namespace

ExportTime time_of_export(const ExportScene& scene, const vm::HypervVm& vm) {
  if (const auto said = base::Timestamp::parse_stored(scene.exported)) {
    return {said.value(), true};
  }
  return {newest_file(scene, vm), false};
}

void note_time(const ExportTime& time, archive::Manifest& manifest) {
  manifest.consistency[time.is_said ? kExported : kNewestFile] = time.at.text();
}

base::Result<std::optional<NewerState>> find_newer_state(
    const BackupEnvironment& environment, const vm::HypervVm& vm,
    const ExportTime& time, std::vector<std::string>& warnings) {
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   environment.catalog.list(vm.id));
  for (const catalog::Snapshot& snapshot : snapshots) {
    if (!snapshot.is_opened || snapshot.verdict != "complete") continue;
    const auto reader = open_stored(environment, snapshot);
    if (!reader) {
      warnings.push_back(
          "whether snapshot " + snapshot.id.hex() +
          " is of a later export cannot be told: " + base::one_line(reader.error()));
      continue;
    }
    const auto stored = time_in(reader.value()->manifest());
    if (!stored) continue;
    if (stored->at <= time.at) return std::optional<NewerState>();
    return std::optional(NewerState{snapshot.id, *stored, stored->is_said});
  }
  return std::optional<NewerState>();
}

std::string words_of(const ExportTime& time, const NewerState& newer) {
  return "the export is of " + text_of(time) + ", and snapshot " +
         newer.snapshot.hex() + " of the VM is of a later one, of " +
         text_of(newer.time);
}

}  // namespace sealift::backup
