// sealift repo join: let this host back up into a repository that is there already.
// Manual: docs/man/sealift-repo.1
#include "cli/commands.h"
#include "cli/open.h"

namespace sealift::cli {

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

base::Result<ExitStatus> run_join(const Session& session, const Values& /*values*/) {
  if (!session.chosen().identity) return load_identity(session).error();
  ASSIGN_OR_RETURN(keyvault::KeyVault vault, open_vault(session));
  ASSIGN_OR_RETURN(archive::Repository repository, open_repository(session, &vault));
  ASSIGN_OR_RETURN(const keyvault::RecoveryKey identity, load_identity(session));
  RETURN_IF_ERROR(repository.join(vault, identity, session.surroundings().clock.now()));
  const std::string signer = vault.signing_key().public_key().id().hex();
  if (session.wants_json()) {
    session.answer({{"id", repository.id().hex()}, {"signer", signer}});
    return ExitStatus::kDone;
  }
  session.output() << "joined " << repository.id().hex() << "\n";
  session.say("This host's signer " + signer +
              " may write\nto the repository from now on. Take the recovery key away "
              "from this host again.");
  return ExitStatus::kDone;
}

}  // namespace

const Command kRepoJoin{
    .words = "repo join",
    .group = Group::kRepository,
    .summary = "let this host write, with a recovery key at hand",
    .synopsis = "--identity KEY.pem",
    .details =
        "Enrols this host's signer in a repository that another host founded, and\n"
        "puts the repository key into the key vault. The recovery key is needed for\n"
        "this once; take it away again. Joining twice does no harm.\n",
    .examples =
        "  sealift repo join --repo /mnt/backup --repo-id ID --identity safe-1.pem\n",
    .arguments = {},
    .add_options = no_options,
    .run = run_join,
};

}  // namespace sealift::cli
