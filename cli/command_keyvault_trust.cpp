// sealift keyvault trust: believe a signer from elsewhere.
// Manual: docs/man/sealift-keyvault.1
#include "cli/commands.h"
#include "cli/open.h"
#include "cli/signer_file.h"

namespace sealift::cli {

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

base::Result<ExitStatus> run_trust(const Session& session, const Values& values) {
  const std::vector<std::string> arguments = values.arguments();
  const std::string& name = arguments[0];
  const std::string& file = arguments[1];
  ASSIGN_OR_RETURN(keyvault::KeyVault vault, open_vault(session));
  ASSIGN_OR_RETURN(const keyvault::SignerPublicKey key, read_signer(file));
  RETURN_IF_ERROR(vault.trust(name, key));
  const std::string id = key.id().hex();
  if (session.wants_json()) {
    session.answer({{"name", name}, {"signer", id}});
    return ExitStatus::kDone;
  }
  session.output() << "trusted " << base::printable(name) << ", signer " << id << "\n";
  session.say("Compare the signer with the one its owner reads to you.");
  return ExitStatus::kDone;
}

}  // namespace

const Command kKeyvaultTrust{
    .words = "keyvault trust",
    .group = Group::kKeys,
    .summary = "believe a signer of archives from elsewhere",
    .synopsis = "NAME SIGNER.pub.pem",
    .details =
        "Remembers a signer's public key under NAME in the key vault. Archives that\n"
        "it signed are believed from then on, although no repository enrolled it.\n",
    .examples = "  sealift keyvault trust branch-office host-b.pub.pem\n",
    .arguments = {.least = 2, .most = 2},
    .add_options = no_options,
    .run = run_trust,
};

}  // namespace sealift::cli
