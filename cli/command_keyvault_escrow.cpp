// sealift keyvault escrow: keep every key that an Azure Local cluster exported.
// Manual: docs/man/sealift-keyvault.1
#include "backup/key_escrow.h"
#include "base/uuid.h"
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

// Wrapping is random: a key that was exported again is another file.
std::string words_of(const backup::EscrowedKey& key) {
  if (key.state != backup::EscrowState::kNew) return key.reason;
  const std::string of = base::Uuid::is_uuid(key.name) ? " key of the VM" : " key";
  switch (key.kept.order) {
    case keyvault::KeptKey::Order::kFirst:
      return "first" + of;
    case keyvault::KeptKey::Order::kNewer:
      return "newer" + of;
    default:
      return "older" + of;
  }
}

base::Json to_json(const backup::EscrowReport& report) {
  base::Json keys = base::Json::array();
  for (const backup::EscrowedKey& key : report.keys) {
    base::Json one{{"file", key.file.string()},
                   {"key_name", key.name},
                   {"state", word(key.state)}};
    if (!key.reason.empty()) one["reason"] = key.reason;
    if (!key.kept.file.empty()) one["kept"] = key.kept.file.string();
    if (key.state == backup::EscrowState::kNew) one["order"] = words_of(key);
    keys.push_back(std::move(one));
  }
  base::Json bad = base::Json::array();
  for (const backup::BadInventory& inventory : report.bad_inventories) {
    bad.push_back({{"file", inventory.file.string()}, {"reason", inventory.reason}});
  }
  return {{"keys", std::move(keys)},
          {"inventory", report.has_inventory},
          {"bad_inventories", std::move(bad)},
          {"without_key", report.without_key}};
}

void print(const Session& session, const backup::EscrowReport& report) {
  Table table({{""}, {""}, {""}});
  for (const backup::EscrowedKey& key : report.keys) {
    const bool is_refused = key.state == backup::EscrowState::kRefused;
    table.add({word(key.state), key.name,
               words_of(key) + (is_refused ? " (" + key.file.string() + ")" : "")});
  }
  table.print(session.output(), "");
  for (const backup::BadInventory& inventory : report.bad_inventories) {
    session.warn(base::printable(inventory.file.string()) + " is left out: " +
                 base::printable(inventory.reason) + "; export the VM again");
  }
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
      backup::escrow_keys(values.arguments().front(), repository.document(), vault,
                          session.surroundings().clock.now()));
  if (session.wants_json()) {
    session.answer(to_json(report));
  } else {
    print(session, report);
  }
  session.output().flush();
  bool is_all = report.without_key.empty() && report.bad_inventories.empty();
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
