// sealift backup: take snapshots of VMs.  Manual: docs/man/sealift-backup.1
#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "backup/backup.h"
#include "base/byte_count.h"
#include "cli/backup_answer.h"
#include "cli/backup_estimate.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/hyperv_backup.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/scratch_folder.h"
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
  add("require-agent",
      "no snapshot of a running VM whose guest agent does not freeze it");
  add("allow-incomplete",
      "go on when a part of a VM cannot be read; the verdict says so, exit status 4");
  add("scratch-dir", text("DIR"), "where QEMU keeps old blocks while it is read");
  add("read-limit", text("MiB/s"), "read disks no faster");
  add("write-limit", text("MiB/s"), "write to the repository no faster");
  add("vtpm-secret-file",
      options::value<std::vector<std::string>>()->composing()->value_name("VM=FILE"),
      "a VM's protection key, where libvirt does not give it away");
  add("hyperv-export", text("DIR"),
      "take VMs that Hyper-V exported into this folder, or inbox, instead");
  add("protection-key",
      options::value<std::vector<std::string>>()->composing()->value_name("FILE|DIR"),
      "their keys as Azure Local exported them: a .json file, or a folder");
  add("every-byte", "keep all bytes of a .vhdx, not just those it refers to");
  add("allow-older", "take an export though a later one of its VM is stored");
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
    return base::Error(base::ErrorCode::kNotFound, "libvirt knows no VM on this host")
        .next("list them with `virsh list --all`; name another libvirt with --connect");
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

// Of an export there is nothing that QEMU could be asked.
constexpr std::array<const char*, 7> kForLibvirt{"all",
                                                 "full",
                                                 "estimate",
                                                 "require-agent",
                                                 "allow-incomplete",
                                                 "scratch-dir",
                                                 "vtpm-secret-file"};
constexpr std::array<const char*, 3> kForExports{"protection-key", "every-byte",
                                                 "allow-older"};

base::Status check_words(const Values& values) {
  const bool has_names = !values.arguments().empty();
  if (values.has("hyperv-export")) {
    for (const char* other : kForLibvirt) {
      if (!values.has(other)) continue;
      return usage(std::string("--hyperv-export and --") + other +
                   " do not go together");
    }
    if (!has_names) return base::Done{};
    return usage("VMs are named, and --hyperv-export is given too")
        .next("every VM in the folder is taken: name none");
  }
  for (const char* other : kForExports) {
    if (!values.has(other)) continue;
    return usage(std::string("--") + other + " goes with --hyperv-export only");
  }
  if (has_names && values.has("all")) {
    return usage("VMs are named, and --all is given too");
  }
  if (has_names || values.has("all")) return base::Done{};
  return usage("no VM is named").next("name VMs, or take every one with --all");
}

backup::HypervBackupRequest for_exports(const Values& values,
                                        const backup::BackupRequest& request) {
  backup::HypervBackupRequest exports;
  exports.folder = *values.one("hyperv-export");
  for (std::string& key : values.all("protection-key")) {
    exports.keys.emplace_back(std::move(key));
  }
  if (values.has("every-byte")) exports.bytes = backup::BytesKept::kEvery;
  if (values.has("allow-older")) exports.older = backup::OlderExport::kStored;
  exports.read_limit = request.read_limit;
  exports.write_limit = request.write_limit;
  exports.cluster = request.cluster;
  exports.host = request.host;
  exports.volume_size = request.volume_size;
  return exports;
}

base::Result<ExitStatus> run(const Session& session, const Values& values) {
  RETURN_IF_ERROR(check_words(values));
  backup::BackupRequest request;
  ASSIGN_OR_RETURN(request.read_limit, read_limit(values, "read-limit"));
  ASSIGN_OR_RETURN(request.write_limit, read_limit(values, "write-limit"));
  if (values.has("allow-incomplete")) request.missing = vm::Missing::kRecorded;
  if (values.has("require-agent")) request.agent = vm::GuestAgent::kRequired;
  if (values.has("full")) request.reading = backup::Reading::kEverything;
  ASSIGN_OR_RETURN(request.scratch_directory, scratch_folder(values));
  ASSIGN_OR_RETURN(const Configuration configuration, read_configuration(session));
  request.cluster = configuration.cluster;
  request.volume_size = configuration.volume_size;
  request.host = session.surroundings().host;

  ASSIGN_OR_RETURN(keyvault::KeyVault vault, open_vault(session));
  ASSIGN_OR_RETURN(archive::Repository repository, open_repository(session, &vault));
  ASSIGN_OR_RETURN(const archive::RepositoryKeys keys, repository.keys(vault));
  ASSIGN_OR_RETURN(const std::unique_ptr<catalog::Catalog> catalog,
                   open_catalog(session, repository.id()));
  Progress progress(session);
  BackupAnswer answer(session, progress);
  backup::BackupEnvironment environment{
      .connection = nullptr,
      .repository = repository,
      .keys = keys,
      .vault = vault,
      .catalog = *catalog,
      .clock = session.surroundings().clock,
      .progress = [&](const std::string& vm,
                      const std::string& words) { progress.show(vm + ": " + words); },
      .finished = [&](const backup::VmOutcome& outcome) { answer.add(outcome); },
  };
  if (values.has("hyperv-export")) {
    return back_up_exports(session, environment, for_exports(values, request), progress,
                           answer);
  }
  ASSIGN_OR_RETURN(const vm::Connection connection,
                   vm::connect(session.chosen().connect));
  environment.connection = &connection;
  ASSIGN_OR_RETURN(request.vms, read_names(values, connection));
  ASSIGN_OR_RETURN(request.vtpm_secret_files, read_secret_files(values, request.vms));
  if (values.has("estimate")) {
    ASSIGN_OR_RETURN(const auto estimates,
                     backup::estimate_backup(environment, request));
    return answer_estimates(session, estimates);
  }
  RETURN_IF_ERROR(
      backup::run_backup(environment, request, session.surroundings().stop));
  return answer.end();
}

}  // namespace

const Command kBackup{
    .words = "backup",
    .group = Group::kBackUp,
    .summary = "take a snapshot of VMs",
    .synopsis = "VM... | --all | --hyperv-export DIR [OPTIONS]",
    .details =
        "Takes a snapshot of each VM (name or UUID) while it runs: disks, NVRAM, vTPM\n"
        "state and protection key of one instant. The guest stands still for a\n"
        "moment and goes on. The protection key is proved to open the vTPM state\n"
        "before the snapshot counts. Runs on the host where the VM is.\n"
        "With --hyperv-export it takes the VMs that Hyper-V exported into a folder,\n"
        "each whole or not at all, with the protection keys that Azure Local "
        "exported,\n"
        "wrapped. That such a key opens its guest state cannot be proven off the\n"
        "cluster; the verdict says so.\n",
    .examples =
        "  sealift backup web-01 db-01 --repo /mnt/backup\n"
        "  sealift backup --hyperv-export /mnt/inbox\n",
    .arguments = {.least = 0, .most = kAnyNumber},
    .add_options = add_options,
    .run = run,
};

}  // namespace sealift::cli
