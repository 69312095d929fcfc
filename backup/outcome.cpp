#include "backup/outcome.h"

#include "backup/fresh_catalog.h"

namespace sealift::backup {

base::Status refuse_if_not_enrolled(const BackupEnvironment& environment) {
  const archive::Trust& trust = environment.repository.trust();
  const auto id = environment.vault.signing_key().public_key().id();
  const auto own = trust.find(id, environment.clock.now());
  if (own) return base::Done{};
  const bool is_revoked = trust.lookup(id) != nullptr;
  return base::Error(base::ErrorCode::kRefused,
                     "this host may not write to the repository")
      .because(own.error().what())
      .at("repository", environment.repository.store().place())
      .next(is_revoked ? "find out why; if it may write again, make a new key vault "
                         "with `sealift keyvault init` and join with that"
                       : "enrol it with the recovery key at hand: `sealift repo join "
                         "--identity KEY.pem`");
}

void note_stored(BackupEnvironment& environment, TakenSnapshot taken,
                 VmOutcome& outcome) {
  outcome.warnings = std::move(taken.warnings);
  auto refreshed = refresh_catalog(environment);
  auto found =
      refreshed ? environment.catalog.find(taken.committed.id.hex())
                : base::Result<catalog::Catalog::Found>(std::move(refreshed).error());
  if (found) {
    outcome.snapshot = std::move(found->snapshot);
    return;
  }
  outcome.error = std::move(found)
                      .error()
                      .at("snapshot", taken.committed.id.hex())
                      .at("vm", outcome.vm)
                      .next("the snapshot is stored; run `sealift list`");
}

VmOutcome not_begun(const std::string& vm) {
  VmOutcome outcome;
  outcome.vm = vm;
  outcome.error = base::Error(base::ErrorCode::kInterrupted,
                              "the run was stopped before this VM's turn")
                      .at("vm", vm);
  return outcome;
}

}  // namespace sealift::backup
