// sealift keyvault escrow: keep every key that an Azure Local cluster exported.
// Manual: docs/man/sealift-keyvault.1
#include "backup/key_escrow.h"
#include "cli/commands.h"
#include "cli/open.h"
#include "cli/table.h"

namespace sealift::cli {

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

const char* word(backup::EscrowState state) {
  switch (state) {
    case backup::EscrowState::kNew:
      return "new";
    case backup::EscrowState::kKnown:
      return "known";
    default:
      return "refused";
  }
}

base::Json to_json(const backup::EscrowReport& report) {
  base::Json keys = base::Json::array();
  for (const backup::EscrowedKey& key : report.keys) {
    base::Json one{{"file", key.file.string()},
                   {"key_name", key.name},
                   {"state", word(key.state)}};
    if (!key.reason.empty()) one["reason"] = key.reason;
    keys.push_back(std::move(one));
  }
  return {{"keys", std::move(keys)},
          {"inventory", report.has_inventory},
          {"without_key", report.without_key}};
}

void print(const Session& session, const backup::EscrowReport& report) {
  Table table({{""}, {""}, {""}});
  for (const backup::EscrowedKey& key : report.keys) {
    table.add({word(key.state), key.name, key.reason});
  }
  table.print(session.output(), "");
  for (const std::string& vm : report.without_key) {
    session.warn(base::printable(vm) +
                 " is a Trusted Launch VM, and no key of it is kept: export its key");
  }
  if (report.has_inventory) return;
  session.say(
      "no sealift-export.json is there, so it cannot be said which VMs have no key");
}

base::Result<ExitStatus> run(const Session& session, const Values& values) {
  ASSIGN_OR_RETURN(keyvault::KeyVault vault, open_vault(session));
  ASSIGN_OR_RETURN(const archive::Repository repository,
                   open_repository(session, &vault));
  ASSIGN_OR_RETURN(
      const backup::EscrowReport report,
      backup::escrow_keys(values.arguments().front(), repository.document(), vault));
  if (session.wants_json()) {
    session.answer(to_json(report));
  } else {
    print(session, report);
  }
  session.output().flush();
  bool is_all = report.without_key.empty();
  for (const backup::EscrowedKey& key : report.keys) {
    is_all = is_all && key.state != backup::EscrowState::kRefused;
  }
  return is_all ? ExitStatus::kDone : ExitStatus::kNotEverything;
}

}  // namespace

const Command kKeyvaultEscrow{
    .words = "keyvault escrow",
    .group = Group::kKeys,
    .summary = "keep the keys that Azure Local exported",
    .synopsis = "DIR",
    .details =
        "Looks at every key below DIR (Export-MocKey's files, the folders of\n"
        "TvmBackupUtils, or an inbox), keeps those in the key vault that are wrapped\n"
        "to a recipient of the repository, each for ever, and says which are new. "
        "With\n"
        "an inventory (sealift-export.json) it names the Trusted Launch VMs of which "
        "no\n"
        "key is kept. The keys stay wrapped; this host cannot open them.\n",
    .examples = "  sealift keyvault escrow /mnt/inbox --repo /mnt/backup\n",
    .arguments = {.least = 1, .most = 1},
    .add_options = no_options,
    .run = run,
};

}  // namespace sealift::cli
