#include "backup/backup.h"
#include "backup/fresh_catalog.h"
#include "backup/vm_snapshot.h"

namespace sealift::backup {

namespace {

// Empty: this host has no such VM.
std::string uuid_text(const vm::Connection& connection, const std::string& vm) {
  const auto domain = vm::find_domain(connection, vm);
  if (!domain) return {};
  const auto uuid = vm::uuid_of(domain.value());
  return uuid ? uuid->text() : std::string();
}

VmOutcome back_up(BackupEnvironment& environment, const BackupRequest& request,
                  const std::string& vm, const std::stop_token& stop) {
  VmOutcome outcome;
  outcome.vm = vm;
  auto taken = take_snapshot(environment, request, vm, stop);
  if (!taken) {
    outcome.vm_uuid = uuid_text(environment.connection, vm);
    outcome.error = std::move(taken).error().at("vm", vm);
    return outcome;
  }
  outcome.warnings = std::move(taken->warnings);
  outcome.pause = taken->pause;
  // The snapshot is there whatever the catalog says now.
  auto refreshed = refresh_catalog(environment);
  auto found =
      refreshed ? environment.catalog.find(taken->committed.id.hex())
                : base::Result<catalog::Catalog::Found>(std::move(refreshed).error());
  if (!found) {
    outcome.vm_uuid = uuid_text(environment.connection, vm);
    outcome.error = std::move(found)
                        .error()
                        .at("snapshot", taken->committed.id.hex())
                        .at("vm", vm)
                        .next("the snapshot is stored; run `sealift list`");
    return outcome;
  }
  outcome.snapshot = std::move(found->snapshot);
  return outcome;
}

// Nobody would believe what it writes.
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

VmOutcome not_begun(const std::string& vm) {
  VmOutcome outcome;
  outcome.vm = vm;
  outcome.error = base::Error(base::ErrorCode::kInterrupted,
                              "the run was stopped before this VM's turn")
                      .at("vm", vm);
  return outcome;
}

}  // namespace

base::Result<std::vector<VmOutcome>> run_backup(BackupEnvironment& environment,
                                                const BackupRequest& request,
                                                const std::stop_token& stop) {
  RETURN_IF_ERROR(refuse_if_not_enrolled(environment));
  ASSIGN_OR_RETURN(const std::vector<std::string> warnings,
                   refresh_catalog(environment));
  std::vector<VmOutcome> outcomes;
  for (const std::string& vm : request.vms) {
    outcomes.push_back(stop.stop_requested() ? not_begun(vm)
                                             : back_up(environment, request, vm, stop));
    if (outcomes.size() == 1) {
      outcomes.front().warnings.insert(outcomes.front().warnings.begin(),
                                       warnings.begin(), warnings.end());
    }
  }
  return outcomes;
}

}  // namespace sealift::backup
