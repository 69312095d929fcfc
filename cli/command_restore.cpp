// sealift restore: bring a VM back.  Manual: docs/man/sealift-restore.1
#include <algorithm>
#include <array>
#include <set>

#include "archive/restored_names.h"
#include "base/byte_count.h"
#include "cli/commands.h"
#include "cli/key_identity.h"
#include "cli/open.h"
#include "cli/portable.h"
#include "cli/progress.h"
#include "cli/restore_plan_text.h"
#include "cli/select_snapshot.h"
#include "cli/shell_word.h"
#include "cli/snapshot_answer.h"
#include "restore/restore.h"
#include "vm/connection.h"

namespace sealift::cli {

namespace {

namespace options = boost::program_options;

constexpr std::uint64_t kPemLimit = 64 * base::kKiB;
constexpr std::string_view kHyperv = "hyper-v";

void add_options(options::options_description& described) {
  const auto text = [](const char* name) {
    return options::value<std::string>()->value_name(name);
  };
  auto add = described.add_options();
  add("archive",
      options::value<std::vector<std::string>>()->composing()->multitoken()->value_name(
          "FILE.tar ..."),
      "restore out of the files of `sealift export`; SNAPSHOT may be left out");
  add("signer",
      options::value<std::vector<std::string>>()->composing()->value_name(
          "SIGNER.pub.pem"),
      "with --archive: believe what this host signed; for each host once");
  add("storage-dir", text("DIR"), "where the disks go [/var/lib/libvirt/images]");
  add("allow-element",
      options::value<std::vector<std::string>>()->composing()->value_name("ELEMENT"),
      "keep this element of the definition, which the plan blocks");
  add("accept-loss",
      "restore a snapshot named by its id although records or volumes are missing");
  add("start", "start the VM when it is back");
  add("dry-run", "print the plan and touch nothing; exit status 5 if it is blocked");
  add("to-directory", text("DIR"),
      "write the VM's files into a new or empty folder instead; needs no libvirt");
  add("wrap-to", text("DEST.pub.pem"),
      "with --to-directory, of an Azure Local VM: wrap its keys to this one, the "
      "target "
      "cluster's wrapping key, and write a runbook");
  add("wrapping-key-name", text("NAME"), "the name of that key in its key vault");
  add("target-cluster", text("NAME"), "the cluster that it goes to, for the runbook");
  add_key_identity_options(described);
}

base::Error not_together(const char* one, const char* other) {
  return {base::ErrorCode::kUsage,
          std::string("--") + one + " and --" + other + " do not go together"};
}

base::Status check_archive_words(const Values& values) {
  if (values.has("archive")) {
    return values.has("accept-loss")
               ? base::Status(not_together("archive", "accept-loss"))
               : base::Status(base::Done{});
  }
  if (values.has("signer")) {
    return base::Error(base::ErrorCode::kUsage,
                       "--signer goes with --archive FILE.tar only")
        .next(
            "a repository names its signers; of one from elsewhere: `sealift "
            "keyvault trust NAME SIGNER.pub.pem`");
  }
  if (!values.arguments().empty()) return base::Done{};
  return base::Error(base::ErrorCode::kUsage, "no snapshot is named")
      .next("name a VM or a snapshot of the repository, or files with --archive");
}

base::Status check_words(const Session& session, const Values& values) {
  RETURN_IF_ERROR(check_archive_words(values));
  if (!session.chosen().identity) return load_identity(session).error();
  constexpr std::array<const char*, 4> kToCluster{"storage-dir", "allow-element",
                                                  "start", "dry-run"};
  constexpr std::array<const char*, 4> kWithWrapTo{
      "wrapping-key-name", "target-cluster", "key-identity", "key-passphrase-file"};
  if (values.has("to-directory")) {
    for (const char* other : kToCluster) {
      if (values.has(other)) return not_together("to-directory", other);
    }
  } else if (values.has("wrap-to")) {
    return base::Error(base::ErrorCode::kUsage,
                       "--wrap-to goes with --to-directory DIR only");
  }
  for (const char* other : kWithWrapTo) {
    if (!values.has(other) || values.has("wrap-to")) continue;
    return base::Error(
        base::ErrorCode::kUsage,
        std::string("--") + other + " goes with --wrap-to DEST.pub.pem only");
  }
  return base::Done{};
}

/// What --wrap-to names; outlives the restore.
struct Wrapping {
  std::optional<keyvault::RecoveryKey> identity;  ///< Of --key-identity.
  std::optional<restore::WrapTarget> target;
};

/// Recovery keys that are known: nothing for a cluster is wrapped to one of them.
using RecoveryKeys = std::set<archive::RecipientId>;

RecoveryKeys recovery_keys_of(const archive::RepositoryDocument& repository) {
  RecoveryKeys keys;
  for (const auto& one : repository.recipients) keys.insert(one.id());
  for (const auto& one : repository.key_recipients) keys.insert(one.id());
  return keys;
}

RecoveryKeys recovery_keys_of(const archive::PortableArchive& archive) {
  RecoveryKeys keys;
  for (const auto& envelope : archive.last_volume().envelopes) {
    keys.insert(envelope.recipient);
  }
  for (const auto& key : archive.manifest().protection_keys) keys.insert(key.recipient);
  return keys;
}

base::Error is_recovery_key(const std::string& file, const archive::RecipientId& id) {
  return base::Error(
             base::ErrorCode::kRefused,
             "--wrap-to names a recovery key, and no cluster can import what is "
             "wrapped to it; nothing was written")
      .at("file", file)
      .at("recovery key", id.hex())
      .next(
          "make a wrapping key in the target's key vault (Import-SealiftVM.ps1 "
          "-NewWrappingKey NAME -Out FILE, or New-MocKey) and name its public half")
      .next("for the files alone leave --wrap-to out");
}

base::Result<Wrapping> read_wrapping(const Session& session, const Values& values,
                                     const RecoveryKeys& known,
                                     const keyvault::RecoveryKey& identity) {
  Wrapping wrapping;
  const auto file = values.one("wrap-to");
  if (!file) return wrapping;
  ASSIGN_OR_RETURN(const base::Bytes pem, base::read_file(*file, kPemLimit));
  auto target = keyvault::Recipient::parse_pem(pem);
  if (!target) return std::move(target).error().at("file", *file);
  if (known.contains(target->id())) return is_recovery_key(*file, target->id());
  const std::string name = values.one("wrapping-key-name").value_or("");
  if (base::printable(name) != name) {
    return base::Error(base::ErrorCode::kUsage, "the name of a key is printable text")
        .at("option", "--wrapping-key-name " + name);
  }
  ASSIGN_OR_RETURN(wrapping.identity, load_key_identity(session, values));
  if (wrapping.identity && wrapping.identity->recipient().id() == target->id()) {
    return is_recovery_key(*file, target->id());
  }
  wrapping.target.emplace(
      restore::WrapTarget{std::move(target).value(),
                          name,
                          values.one("target-cluster").value_or(""),
                          {&identity, session.chosen().identity->string()}});
  return wrapping;
}

restore::RestoreRequest read_request(const Values& values, catalog::Snapshot snapshot) {
  restore::RestoreRequest request;
  request.snapshot = std::move(snapshot);
  request.storage_directory = values.one("storage-dir");
  for (std::string& element : values.all("allow-element")) {
    request.allowed_elements.insert(std::move(element));
  }
  if (values.has("start")) request.after = restore::AfterRestore::kStart;
  if (values.has("dry-run")) request.bytes = restore::BytesChecked::kFirst;
  return request;
}

// The blockers as one error: the same words from a dry run and from a real one.
base::Error blocked(const restore::RestorePlan& plan) {
  base::Error error(base::ErrorCode::kRefused,
                    "the plan has blockers, and nothing was touched");
  error.at("vm", plan.vm_name);
  for (const auto& check : plan.checks) {
    if (check.state != restore::CheckState::kBlock) continue;
    error.next(check.name + ": " + check.detail +
               (check.fix.empty() ? "" : "; " + check.fix));
  }
  return error;
}

void say_warnings(const Session& session, const restore::RestorePlan& plan) {
  for (const auto& check : plan.checks) {
    if (check.state != restore::CheckState::kWarn) continue;
    session.warn(base::printable(check.name + ": " + check.detail) +
                 (check.fix.empty() ? "" : "; " + base::printable(check.fix)));
  }
}

void say_restored(const Session& session, const restore::RestorePlan& plan,
                  const restore::RestoreRequest& request) {
  const bool is_started = request.after == restore::AfterRestore::kStart;
  if (session.wants_json()) {
    base::Json object = to_json(plan);
    object["started"] = is_started;
    session.answer(object);
    return;
  }
  session.output() << base::printable(plan.vm_name) << " is back"
                   << (is_started ? " and started" : "") << ", from snapshot "
                   << short_id(plan.snapshot) << " of "
                   << request.snapshot.created.text() << "\n";
  if (is_started) return;
  session.say("start it with: virsh -c " + shell_word(session.chosen().connect) +
              " start --domain " + shell_word(base::printable(plan.vm_name)));
}

base::Error not_of_libvirt(const catalog::Snapshot& snapshot) {
  return base::Error(base::ErrorCode::kRefused,
                     "a VM that Hyper-V exported cannot be restored on libvirt")
      .at("vm", vm_label(snapshot))
      .next(
          "get its files and a runbook for the target cluster: --to-directory DIR "
          "--wrap-to DEST.pub.pem");
}

base::Result<ExitStatus> restore_to_cluster(const Session& session,
                                            const Values& values,
                                            restore::RestoreEnvironment environment,
                                            const restore::RestoreRequest& request) {
  ASSIGN_OR_RETURN(const std::string platform,
                   restore::platform_of(environment, request.snapshot));
  if (platform == kHyperv) return not_of_libvirt(request.snapshot);
  ASSIGN_OR_RETURN(const vm::Connection connection,
                   vm::connect(session.chosen().connect));
  environment.connection = &connection;
  Progress progress(session);
  environment.progress = [&](const std::string& words) { progress.show(words); };
  const std::stop_token stop = session.surroundings().stop;
  ASSIGN_OR_RETURN(const std::unique_ptr<restore::PreparedRestore> prepared,
                   restore::prepare_restore(environment, request, stop));
  progress.clear();
  const restore::RestorePlan& plan = prepared->plan();
  if (values.has("dry-run")) {
    if (session.wants_json())
      session.answer(to_json(plan));
    else
      print_plan(session.output(), plan);
    session.output().flush();
    if (plan.is_blocked()) return blocked(plan);
    return ExitStatus::kDone;
  }
  if (plan.is_blocked()) return blocked(plan);
  say_warnings(session, plan);
  const base::Status ran = prepared->run(stop);
  progress.clear();
  RETURN_IF_ERROR(ran);
  say_restored(session, plan, request);
  return ExitStatus::kDone;
}

base::Result<ExitStatus> restore_to_folder(const Session& session, const Values& values,
                                           restore::RestoreEnvironment environment,
                                           const catalog::Snapshot& snapshot,
                                           const RecoveryKeys& known) {
  const std::string folder = *values.one("to-directory");
  ASSIGN_OR_RETURN(const std::string platform,
                   restore::platform_of(environment, snapshot));
  ASSIGN_OR_RETURN(Wrapping wrapping,
                   read_wrapping(session, values, known, environment.identity));
  if (wrapping.identity) {
    wrapping.target->identity = {&*wrapping.identity, *values.one("key-identity")};
  }
  Progress progress(session);
  environment.progress = [&](const std::string& words) { progress.show(words); };
  const base::Status written = restore::restore_to_directory(
      environment, {snapshot, folder, wrapping.target}, session.surroundings().stop);
  progress.clear();
  RETURN_IF_ERROR(written);
  if (session.wants_json()) {
    base::Json object = to_json(snapshot);
    object["directory"] = folder;
    session.answer(object);
    return ExitStatus::kDone;
  }
  session.output() << base::printable(vm_label(snapshot)) << ": the files of snapshot "
                   << short_id(snapshot.id) << " are in " << base::printable(folder)
                   << "\n";
  if (!wrapping.target && platform == kHyperv) {
    session.say(
        "its protection keys are still wrapped to the recovery key: --wrap-to and the "
        "target's wrapping key make them fit to be imported, with a runbook");
  }
  if (wrapping.target) {
    session.say("read " + base::printable(folder) + "/" +
                std::string(archive::kRunbook) +
                " before anything is started on the target");
  }
  return ExitStatus::kDone;
}

base::Result<ExitStatus> restore_snapshot(const Session& session, const Values& values,
                                          restore::RestoreEnvironment environment,
                                          catalog::Snapshot snapshot,
                                          const RecoveryKeys& known) {
  if (values.has("to-directory")) {
    return restore_to_folder(session, values, std::move(environment), snapshot, known);
  }
  return restore_to_cluster(session, values, std::move(environment),
                            read_request(values, std::move(snapshot)));
}

base::Result<ExitStatus> restore_portable(const Session& session,
                                          const Values& values) {
  ASSIGN_OR_RETURN(const keyvault::RecoveryKey identity, load_identity(session));
  ASSIGN_OR_RETURN(const std::unique_ptr<archive::PortableArchive> archive,
                   open_portable(session, values, identity));
  return restore_snapshot(session, values,
                          {.place = {archive->source(), nullptr, archive->locator(),
                                     restore::Archives::kAsNeeded},
                           .identity = identity,
                           .connection = nullptr,
                           .progress = {}},
                          snapshot_of(*archive), recovery_keys_of(*archive));
}

base::Result<ExitStatus> run(const Session& session, const Values& values) {
  RETURN_IF_ERROR(check_words(session, values));
  if (values.has("archive")) return restore_portable(session, values);
  ASSIGN_OR_RETURN(
      const OpenRepository open,
      open_for_reading(session,
                       values.has("accept-loss") ? OnLoss::kReport : OnLoss::kStop));
  ASSIGN_OR_RETURN(const archive::RepositoryKeys* const keys, keys_of(open));
  ASSIGN_OR_RETURN(catalog::Snapshot snapshot,
                   select_snapshot(session, open, values.arguments().front()));
  for (const base::Error& error : open.losses) session.report(error);
  return restore_snapshot(session, values,
                          {.place = {open.repository.source(), keys, *open.catalog},
                           .identity = *open.identity,
                           .connection = nullptr,
                           .progress = {}},
                          std::move(snapshot),
                          recovery_keys_of(open.repository.document()));
}

}  // namespace

const Command kRestore{
    .words = "restore",
    .group = Group::kBringBack,
    .summary = "bring a VM back, here or as files",
    .synopsis = "SNAPSHOT|--archive FILE.tar --identity KEY.pem [OPTIONS]",
    .details =
        "Brings a VM back on this host's libvirt: protection key, NVRAM, vTPM state,\n"
        "disks, definition. Every signature, name and path is checked first, and the\n"
        "key is proved to open the vTPM state; a plan with blockers touches nothing\n"
        "(exit status 5). Volumes are checked as they are read. What was made is\n"
        "removed again if a byte does not fit or a later step fails. The VM keeps its\n"
        "identity: do not run it twice.\n"
        "SNAPSHOT is an id or the start of one, VM@latest or VM@TIME; VM is its\n"
        "newest complete one. With --archive it comes out of files, and no "
        "repository,\n"
        "catalog or key vault is needed.\n",
    .examples =
        "  sealift restore web-01 --identity safe-1.pem --dry-run\n"
        "  sealift restore web-01@2026-11-21 --identity safe-1.pem --start\n"
        "  sealift restore --archive web-01.tar --signer a.pub.pem --identity "
        "safe-1.pem\n",
    .arguments = {.least = 0, .most = 1},
    .add_options = add_options,
    .run = run,
};

}  // namespace sealift::cli
