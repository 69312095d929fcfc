// sealift verify: can these snapshots be restored?  Manual: docs/man/sealift-verify.1
#include <algorithm>

#include "base/byte_count.h"
#include "cli/commands.h"
#include "cli/key_identity.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/select_snapshot.h"
#include "cli/snapshot_answer.h"
#include "restore/verify.h"

namespace sealift::cli {

namespace {

constexpr int kHighestLevel = 3;

void add_options(boost::program_options::options_description& described) {
  described.add_options()("all", "every snapshot; so does naming none");
  add_key_identity_options(described);
}

const char* words_for(int level) {
  switch (level) {
    case 1:
      return "signatures and sums";
    case 2:
      return "every chunk";
    case kHighestLevel:
      return "the key opens the guest state";
    default:
      return "nothing";
  }
}

struct Found {
  catalog::Snapshot snapshot;
  std::optional<restore::VerifyReport> report;
  std::optional<base::Error> error;
};

base::Result<std::vector<catalog::Snapshot>> choose(const Session& session,
                                                    const OpenRepository& open,
                                                    const Values& values) {
  if (values.arguments().empty()) {
    ASSIGN_OR_RETURN(std::vector<catalog::Snapshot> all, open.catalog->list(""));
    if (!all.empty() || !open.skipped.empty() || !open.losses.empty()) return all;
    return base::Error(base::ErrorCode::kNotFound, "the repository holds no snapshot")
        .at("repository", open.repository.store().place());
  }
  std::vector<catalog::Snapshot> named;
  for (const std::string& selector : values.arguments()) {
    ASSIGN_OR_RETURN(catalog::Snapshot snapshot,
                     select_snapshot(session, open, selector));
    named.push_back(std::move(snapshot));
  }
  return named;
}

void print(const Session& session, const restore::VerifyReport& report) {
  session.output() << short_id(report.snapshot.id) << "  "
                   << base::printable(vm_label(report.snapshot)) << "  level "
                   << report.level << " of " << kHighestLevel << ": "
                   << words_for(report.level) << "; "
                   << base::ByteCount(report.bytes_read).text() << " read";
  if (report.chunks > 0) {
    session.output() << ", " << report.chunks
                     << (report.chunks == 1 ? " chunk" : " chunks");
  }
  if (!report.reason.empty()) {
    session.output() << " (" << base::printable(report.reason) << ")";
  }
  if (report.snapshot.verdict != "complete") {
    session.output() << ", verdict: " << base::printable(report.snapshot.verdict);
  }
  session.output() << "\n";
}

base::Json to_json(const Found& found) {
  base::Json object{{"id", found.snapshot.id.hex()},
                    {"vm", found.snapshot.vm_name},
                    {"level", found.report ? found.report->level : 0}};
  if (found.report) {
    object["chunks"] = found.report->chunks;
    object["bytes_read"] = found.report->bytes_read;
    object["reason"] = found.report->reason;
  }
  if (found.error) {
    object["error"] = found.error->what();
    object["where"] = base::Json::object();
    for (const auto& place : found.error->places()) {
      object["where"][place.kind] = place.name;
    }
    object["exit_status"] = static_cast<int>(found.error->code());
  }
  return object;
}

// An interruption ends the run; anything else is found out about every snapshot.
base::Result<std::vector<Found>> verify_all(
    const Session& session, const OpenRepository& open,
    const std::vector<catalog::Snapshot>& snapshots,
    const restore::KeyIdentity* key_identity) {
  ASSIGN_OR_RETURN(const archive::RepositoryKeys* const keys, keys_of(open));
  std::vector<Found> all;
  Progress progress(session);
  for (const catalog::Snapshot& snapshot : snapshots) {
    progress.show("verifying " + short_id(snapshot.id) + " of " + vm_label(snapshot));
    auto report =
        restore::verify_snapshot({open.repository.source(), keys, *open.catalog},
                                 snapshot, open.identity ? &*open.identity : nullptr,
                                 session.surroundings().stop, key_identity);
    progress.clear();
    if (report) {
      if (!session.wants_json()) print(session, report.value());
      all.push_back({snapshot, std::move(report).value(), std::nullopt});
      continue;
    }
    if (report.error().code() == base::ErrorCode::kInterrupted) return report.error();
    all.push_back({snapshot, std::nullopt, std::move(report).error()});
  }
  return all;
}

// The errors, all said but the last, which is the command's own.
base::Result<ExitStatus> conclude(const Session& session,
                                  std::vector<base::Error> errors) {
  if (errors.empty()) return ExitStatus::kDone;
  // What is damaged decides the exit status, whatever else went wrong.
  const auto is_other = [](const base::Error& error) {
    return error.code() != base::ErrorCode::kCorrupt;
  };
  std::stable_partition(errors.begin(), errors.end(), is_other);
  for (std::size_t at = 0; at + 1 < errors.size(); ++at) session.report(errors[at]);
  return errors.back();
}

base::Result<ExitStatus> run(const Session& session, const Values& values) {
  if (values.has("all") && !values.arguments().empty()) {
    return base::Error(base::ErrorCode::kUsage,
                       "snapshots are named, and --all is given too");
  }
  ASSIGN_OR_RETURN(const std::optional<keyvault::RecoveryKey> key,
                   load_key_identity(session, values));
  const restore::KeyIdentity key_identity{key ? &*key : nullptr,
                                          values.one("key-identity").value_or("")};
  ASSIGN_OR_RETURN(const OpenRepository open,
                   open_for_reading(session, OnLoss::kReport));
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   choose(session, open, values));
  ASSIGN_OR_RETURN(const std::vector<Found> all,
                   verify_all(session, open, snapshots, key ? &key_identity : nullptr));
  std::vector<base::Error> errors;
  if (values.arguments().empty()) errors = open.skipped;
  errors.insert(errors.end(), open.losses.begin(), open.losses.end());
  base::Json list = base::Json::array();
  int level = kHighestLevel;
  for (const Found& found : all) {
    if (found.error) errors.push_back(*found.error);
    if (found.report) level = std::min(level, found.report->level);
    list.push_back(to_json(found));
  }
  if (session.wants_json()) {
    session.answer(list);
  } else if (errors.empty()) {
    session.output() << "level " << level << " reached: " << words_for(level) << "\n";
  }
  session.output().flush();
  return conclude(session, std::move(errors));
}

}  // namespace

const Command kVerify{
    .words = "verify",
    .group = Group::kBackUp,
    .summary = "check that snapshots can be restored",
    .synopsis = "[SNAPSHOT... | --all] [--identity KEY.pem]",
    .details =
        "Checks snapshots and says which level of proof was reached:\n"
        "  1  signatures and sums of every volume, byte for byte\n"
        "  2  every chunk opened, and its id fits       (with --identity)\n"
        "  3  the protection key opens the guest state  (with --identity; of a VM of\n"
        "     Azure Local this cannot be proven off the cluster)\n"
        "SNAPSHOT is an id or the start of one, VM, VM@latest or VM@TIME. What is\n"
        "damaged is named, with exit status 3.\n",
    .examples = "  sealift verify web-01@latest --identity safe-1.pem\n",
    .arguments = {.least = 0, .most = kAnyNumber},
    .add_options = add_options,
    .run = run,
};

}  // namespace sealift::cli
