#include "cli/hyperv_backup.h"

#include <algorithm>

#include "backup/stored_export.h"
#include "restore/verify.h"

namespace sealift::cli {

namespace {

// Read back from the repository: signatures, sums, and a place for every chunk.
base::Status verify(const Session& session,
                    const backup::BackupEnvironment& environment,
                    const catalog::Snapshot& snapshot) {
  RETURN_IF_ERROR(restore::verify_snapshot(
      {environment.repository.source(), &environment.keys, environment.catalog},
      snapshot, nullptr, session.surroundings().stop));
  return base::Done{};
}

// Only what came through whole may be removed from the inbox.
base::Status note_if_stored(const Session& session,
                            const backup::BackupEnvironment& environment,
                            const backup::ExportOutcome& exported,
                            const std::vector<backup::VmOutcome>& vms) {
  const bool is_whole = std::ranges::none_of(
      exported.places, [&](std::size_t at) { return vms[at].error.has_value(); });
  if (!is_whole) return base::Done{};
  for (const std::size_t at : exported.places) {
    RETURN_IF_ERROR(verify(session, environment, vms[at].snapshot));
  }
  return backup::note_stored_export(exported, vms, environment.repository.id(),
                                    environment.clock.now());
}

}  // namespace

base::Result<ExitStatus> back_up_exports(const Session& session,
                                         backup::BackupEnvironment& environment,
                                         const backup::HypervBackupRequest& request,
                                         Progress& progress,
                                         const BackupAnswer& answer) {
  auto outcome =
      backup::run_hyperv_backup(environment, request, session.surroundings().stop);
  progress.clear();
  if (!outcome) return std::move(outcome).error();
  for (const std::string& warning : outcome->warnings) {
    session.warn(base::printable(warning));
  }
  for (const std::string& vm : outcome->without_key) {
    session.warn(base::printable(vm) +
                 " is a Trusted Launch VM without a key in its cluster's key vault: it "
                 "could not be started again elsewhere; if it was never started, start "
                 "it once, else find its key in an earlier backup before it is shut "
                 "down");
  }
  std::optional<base::Error> failure;
  for (const backup::ExportOutcome& exported : outcome->exports) {
    auto noted = note_if_stored(session, environment, exported, outcome->vms);
    if (noted) continue;
    if (failure) session.report(*failure);
    failure = std::move(noted).error().at("export", exported.folder.string());
  }
  const ExitStatus ended = answer.end();
  const bool is_done =
      ended == ExitStatus::kDone || ended == ExitStatus::kNotEverything;
  if (failure && is_done) return std::move(*failure);
  if (failure) session.report(*failure);
  if (outcome->vms.empty()) session.say("no export is new");
  const bool is_all = outcome->without_key.empty() && !outcome->has_leftovers;
  return is_all || !is_done ? ended : ExitStatus::kNotEverything;
}

}  // namespace sealift::cli
