// sealift keyvault init: this host's keys.  Manual: docs/man/sealift-keyvault.1
#include "cli/commands.h"
#include "keyvault/vault.h"

namespace sealift::cli {

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

base::Result<ExitStatus> run_init(const Session& session, const Values& /*values*/) {
  ASSIGN_OR_RETURN(const keyvault::KeyVault vault,
                   keyvault::KeyVault::init(session.chosen().key_vault));
  const std::string signer = vault.signing_key().public_key().id().hex();
  if (session.wants_json()) {
    session.answer({{"keyvault", vault.folder().string()}, {"signer", signer}});
    return ExitStatus::kDone;
  }
  session.output() << "signer " << signer << "\n";
  session.say("made the key vault " + base::printable(vault.folder().string()) +
              "; the signer above is this host's signature on its backups");
  return ExitStatus::kDone;
}

}  // namespace

const Command kKeyvaultInit{
    .words = "keyvault init",
    .group = Group::kKeys,
    .summary = "make this host's key vault and signing key",
    .synopsis = "[--keyvault DIR]",
    .details =
        "Makes the folder of this host's keys (0700) and the key that signs what it\n"
        "backs up. A folder that holds anything is refused. The vault never holds a\n"
        "key that opens a backup.\n",
    .examples = "  sealift keyvault init\n",
    .arguments = {},
    .add_options = no_options,
    .run = run_init,
};

}  // namespace sealift::cli
