// sealift backup: take snapshots of VMs.  Manual: docs/man/sealift-backup.1
#include <algorithm>
#include <charconv>
#include <set>

#include "backup/backup.h"
#include "base/byte_count.h"
#include "cli/backup_estimate.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/snapshot_answer.h"
#include "cli/whole_number.h"

namespace sealift::cli {

namespace {

namespace options = boost::program_options;

constexpr std::uint64_t kHighestLimit = std::uint64_t{1024} * 1024;  // MiB/s.

void add_options(options::options_description& described) {
  const auto text = [](const char* name) {
    return options::value<std::string>()->value_name(name);
  };
  auto add = described.add_options();
  add("all", "every VM that libvirt knows on this host");
  add("full", "read disks whole, even where what changed is known");
  add("estimate", "say what would be read, and take no snapshot");
  add("allow-incomplete",
      "go on when a part of a VM cannot be read; the verdict says so, exit status 4");
  add("scratch-dir", text("DIR"), "where QEMU keeps old blocks while it is read");
  add("read-limit", text("MiB/s"), "read disks no faster");
  add("write-limit", text("MiB/s"), "write to the repository no faster");
  add("vtpm-secret-file",
      options::value<std::vector<std::string>>()->composing()->value_name("VM=FILE"),
      "a VM's protection key, where libvirt does not give it away");
}

base::Error usage(std::string what) {
  return {base::ErrorCode::kUsage, std::move(what)};
}

base::Result<std::optional<std::uint64_t>> read_limit(const Values& values,
                                                      const std::string& option) {
  const auto said = values.one(option);
  if (!said) return std::optional<std::uint64_t>();
  const std::optional<std::uint64_t> limit = whole_number(*said);
  if (limit && *limit > 0 && *limit <= kHighestLimit) {
    return std::optional(*limit * base::kMiB);
  }
  return usage("a limit is a whole number of MiB a second, from 1 on")
      .at("option", "--" + option + " " + *said);
}

base::Result<std::vector<std::string>> read_names(const Values& values,
                                                  const vm::Connection& connection) {
  if (values.has("all")) {
    ASSIGN_OR_RETURN(std::vector<std::string> names, vm::list_domains(connection));
    if (!names.empty()) return names;
    return base::Error(base::ErrorCode::kNotFound, "libvirt knows no VM on this host");
  }
  std::vector<std::string> names;
  std::set<std::string> seen;  // A VM may be named by its name and by its UUID.
  for (const std::string& name : values.arguments()) {
    const auto domain = vm::find_domain(connection, name);
    const auto uuid =
        domain ? vm::uuid_of(domain.value()) : base::Result<base::Uuid>(domain.error());
    if (seen.insert(uuid ? uuid->text() : name).second) names.push_back(name);
  }
  return names;
}

using SecretFiles = std::map<std::string, std::filesystem::path>;

base::Result<SecretFiles> read_secret_files(const Values& values,
                                            const std::vector<std::string>& names) {
  SecretFiles files;
  for (const std::string& pair : values.all("vtpm-secret-file")) {
    const std::size_t split = pair.find('=');
    if (split == std::string::npos || split == 0 || split + 1 == pair.size()) {
      return usage("a protection key is given as VM=FILE")
          .at("option", "--vtpm-secret-file " + pair);
    }
    const std::string name = pair.substr(0, split);
    if (std::ranges::find(names, name) == names.end()) {
      return usage("a protection key is given for a VM that is not backed up")
          .at("option", "--vtpm-secret-file " + pair)
          .next("write the VM's name just as in the list of VMs");
    }
    files[name] = pair.substr(split + 1);
  }
  return files;
}

base::Status check_words(const Values& values) {
  const bool has_names = !values.arguments().empty();
  if (has_names && values.has("all")) {
    return usage("VMs are named, and --all is given too");
  }
  if (has_names || values.has("all")) return base::Done{};
  return usage("no VM is named").next("name VMs, or take every one with --all");
}

std::string seconds_text(std::chrono::milliseconds pause) {
  constexpr int kMillisecondsInHundredth = 10;
  const auto hundredths = pause.count() / kMillisecondsInHundredth;
  const std::string part = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (part.size() < 2 ? "0" : "") + part +
         " s";
}

void print_text(const Session& session, const backup::VmOutcome& outcome) {
  const catalog::Snapshot& snapshot = outcome.snapshot;
  session.output() << base::printable(outcome.vm) << ": snapshot "
                   << short_id(snapshot.id) << " is " << snapshot.verdict << ", "
                   << base::ByteCount(snapshot.changed_bytes).text() << " of "
                   << base::ByteCount(snapshot.source_bytes).text() << " read, "
                   << base::ByteCount(snapshot.stored_bytes).text() << " stored";
  if (outcome.pause.count() > 0) {
    session.output() << ", paused for " << seconds_text(outcome.pause);
  }
  session.output() << "\n";
}

// One object a line, so that the last lines of a run can be read as they are.
void print_json(const Session& session, const backup::VmOutcome& outcome) {
  base::Json object = to_json(outcome.snapshot);
  if (outcome.error) {
    object = {{"id", nullptr},
              {"vm", outcome.vm},
              {"vm_uuid", outcome.vm_uuid},
              {"verdict", "failed"},
              {"error", outcome.error->what()},
              {"exit_status", static_cast<int>(outcome.error->code())}};
  } else {
    object["pause_milliseconds"] = outcome.pause.count();
    object["warnings"] = outcome.warnings;
  }
  session.output() << object.dump(-1, ' ', false, base::Json::error_handler_t::replace)
                   << "\n";
}

bool names_vm(const base::Error& error) {
  return std::ranges::any_of(error.places(), [](const base::Error::Place& place) {
    return place.kind == "vm";
  });
}

base::Error naming_vm(const backup::VmOutcome& outcome) {
  base::Error error = *outcome.error;
  if (!names_vm(error)) error.at("vm", outcome.vm);
  return error;
}

// The error of the whole run: VMs that failed among others that did not make it only
// "not everything"; but a run that was interrupted, or in which every VM failed for the
// same reason, ends as that.
std::optional<base::ErrorCode> code_of(const std::vector<backup::VmOutcome>& outcomes) {
  std::optional<base::ErrorCode> common;
  bool is_common = true;
  for (const backup::VmOutcome& outcome : outcomes) {
    if (!outcome.error) {
      is_common = false;
      continue;
    }
    const base::ErrorCode code = outcome.error->code();
    if (code == base::ErrorCode::kInterrupted) return code;
    is_common = is_common && common.value_or(code) == code;
    common = code;
  }
  return is_common ? common : std::nullopt;
}

// Says how each VM went.
base::Result<ExitStatus> conclude(const Session& session,
                                  const std::vector<backup::VmOutcome>& outcomes) {
  std::size_t failed = 0;
  bool is_incomplete = false;
  const std::optional<base::ErrorCode> code = code_of(outcomes);
  std::optional<base::Error> ending;
  for (const backup::VmOutcome& outcome : outcomes) {
    for (const std::string& warning : outcome.warnings) {
      session.warn(base::printable(outcome.vm) + ": " + base::printable(warning));
    }
    if (session.wants_json()) print_json(session, outcome);
    if (!outcome.error) {
      if (!session.wants_json()) print_text(session, outcome);
      is_incomplete = is_incomplete || outcome.snapshot.verdict != "complete";
      continue;
    }
    ++failed;
    if (ending) session.report(*ending);
    ending = naming_vm(outcome);
    if (ending->code() == code) continue;
    session.report(*ending);
    ending.reset();
  }
  session.output().flush();
  if (outcomes.size() > 1) {
    session.say(std::to_string(outcomes.size() - failed) + " of " +
                std::to_string(outcomes.size()) + " VMs backed up");
  }
  if (ending) return *ending;
  return failed > 0 || is_incomplete ? ExitStatus::kNotEverything : ExitStatus::kDone;
}

base::Result<ExitStatus> run(const Session& session, const Values& values) {
  RETURN_IF_ERROR(check_words(values));
  backup::BackupRequest request;
  ASSIGN_OR_RETURN(request.read_limit, read_limit(values, "read-limit"));
  ASSIGN_OR_RETURN(request.write_limit, read_limit(values, "write-limit"));
  if (values.has("allow-incomplete")) request.missing = vm::Missing::kRecorded;
  if (values.has("full")) request.reading = backup::Reading::kEverything;
  request.scratch_directory = values.one("scratch-dir");
  ASSIGN_OR_RETURN(const Configuration configuration, read_configuration(session));
  request.cluster = configuration.cluster;
  request.volume_size = configuration.volume_size;
  request.host = session.surroundings().host;

  ASSIGN_OR_RETURN(keyvault::KeyVault vault, open_vault(session));
  ASSIGN_OR_RETURN(archive::Repository repository, open_repository(session, &vault));
  ASSIGN_OR_RETURN(const archive::RepositoryKeys keys, repository.keys(vault));
  ASSIGN_OR_RETURN(const vm::Connection connection,
                   vm::connect(session.chosen().connect));
  ASSIGN_OR_RETURN(request.vms, read_names(values, connection));
  ASSIGN_OR_RETURN(request.vtpm_secret_files, read_secret_files(values, request.vms));
  ASSIGN_OR_RETURN(const std::unique_ptr<catalog::Catalog> catalog,
                   open_catalog(session, repository.id()));

  Progress progress(session);
  backup::BackupEnvironment environment{
      .connection = connection,
      .repository = repository,
      .keys = keys,
      .vault = vault,
      .catalog = *catalog,
      .clock = session.surroundings().clock,
      .progress = [&](const std::string& vm,
                      const std::string& words) { progress.show(vm + ": " + words); },
  };
  if (values.has("estimate")) {
    ASSIGN_OR_RETURN(const auto estimates,
                     backup::estimate_backup(environment, request));
    return answer_estimates(session, estimates);
  }
  auto outcomes = backup::run_backup(environment, request, session.surroundings().stop);
  progress.clear();
  if (!outcomes) return std::move(outcomes).error();
  return conclude(session, outcomes.value());
}

}  // namespace

const Command kBackup{
    .words = "backup",
    .group = Group::kBackUp,
    .summary = "take a snapshot of VMs",
    .synopsis = "VM... | --all [OPTIONS]",
    .details =
        "Takes a snapshot of each VM (name or UUID) while it runs: disks, NVRAM, vTPM\n"
        "state and protection key of one instant. The guest stands still for a\n"
        "moment and goes on. The protection key is proved to open the vTPM state\n"
        "before the snapshot counts. Runs on the host where the VM is.\n",
    .examples = "  sealift backup web-01 db-01 --repo /mnt/backup\n",
    .arguments = {.least = 0, .most = kAnyNumber},
    .add_options = add_options,
    .run = run,
};

}  // namespace sealift::cli
