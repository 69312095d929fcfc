// sealift keyvault export-signer: what others check this host's archives with.
// Manual: docs/man/sealift-keyvault.1
#include "cli/commands.h"
#include "cli/open.h"

namespace sealift::cli {

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

base::Result<ExitStatus> run_export_signer(const Session& session,
                                           const Values& /*values*/) {
  ASSIGN_OR_RETURN(const keyvault::KeyVault vault, open_vault(session));
  const keyvault::SignerPublicKey& key = vault.signing_key().public_key();
  if (session.wants_json()) {
    session.answer({{"signer", key.id().hex()}, {"pem", key.pem()}});
    return ExitStatus::kDone;
  }
  session.output() << key.pem();
  session.mention("signer " + key.id().hex());
  return ExitStatus::kDone;
}

}  // namespace

const Command kKeyvaultExportSigner{
    .words = "keyvault export-signer",
    .group = Group::kKeys,
    .summary = "print this host's signer public key",
    .synopsis = "[--keyvault DIR]",
    .details =
        "Prints the public half of this host's signing key (Ed25519, PEM). With it\n"
        "anybody checks this host's volumes with openssl alone, and another host\n"
        "can believe them: `sealift keyvault trust`.\n",
    .examples = "  sealift keyvault export-signer > host-a.pub.pem\n",
    .arguments = {},
    .add_options = no_options,
    .run = run_export_signer,
};

}  // namespace sealift::cli
