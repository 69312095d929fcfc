#include "backup/backup.h"
#include "backup/fresh_catalog.h"
#include "backup/outcome.h"
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
    outcome.vm_uuid = uuid_text(*environment.connection, vm);
    outcome.error = std::move(taken).error().at("vm", vm);
    return outcome;
  }
  outcome.pause = taken->pause;
  note_stored(environment, std::move(taken).value(), outcome);
  if (outcome.error) outcome.vm_uuid = uuid_text(*environment.connection, vm);
  return outcome;
}

}  // namespace

base::Status run_backup(BackupEnvironment& environment, const BackupRequest& request,
                        const std::stop_token& stop) {
  RETURN_IF_ERROR(refuse_if_not_enrolled(environment));
  ASSIGN_OR_RETURN(std::vector<std::string> warnings, refresh_catalog(environment));
  for (const std::string& vm : request.vms) {
    VmOutcome outcome =
        stop.stop_requested() ? not_begun(vm) : back_up(environment, request, vm, stop);
    // Those of the run as a whole go with the first.
    outcome.warnings.insert(outcome.warnings.begin(), warnings.begin(), warnings.end());
    warnings.clear();
    if (environment.finished) environment.finished(outcome);
  }
  return base::Done{};
}

}  // namespace sealift::backup
