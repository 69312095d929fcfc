// sealift catalog rebuild: the catalog again, from the repository alone.
// Manual: docs/man/sealift-catalog.1
#include "cli/commands.h"
#include "cli/open.h"

namespace sealift::cli {

namespace fs = std::filesystem;

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

// A file that is no catalog any more is put aside, never deleted: the name may have
// been mistyped.
base::Status put_aside(const Session& session, const fs::path& file) {
  const fs::path aside = file.string() + ".damaged";
  std::error_code failure;
  fs::rename(file, aside, failure);
  if (failure) {
    return base::Error(base::ErrorCode::kIo, "cannot put the damaged catalog aside")
        .at("file", file.string())
        .because(failure.message());
  }
  for (const char* suffix : {"-wal", "-shm"}) {
    fs::remove(file.string() + suffix, failure);
  }
  session.say("put the damaged catalog aside as " + base::printable(aside.string()));
  return base::Done{};
}

base::Result<ExitStatus> run_rebuild(const Session& session, const Values& /*values*/) {
  ASSIGN_OR_RETURN(const std::optional<keyvault::KeyVault> vault,
                   open_vault_if_any(session));
  ASSIGN_OR_RETURN(const archive::Repository repository,
                   open_repository(session, vault ? &*vault : nullptr));
  const fs::path file = catalog_file(session, repository.id());
  {
    auto old = open_catalog(session, repository.id());
    if (!old && old.error().code() == base::ErrorCode::kCorrupt) {
      RETURN_IF_ERROR(put_aside(session, file));
    } else if (!old) {
      return std::move(old).error();
    } else {
      RETURN_IF_ERROR(old.value()->clear());
    }
  }
  ASSIGN_OR_RETURN(const OpenRepository open, open_for_reading(session));
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   open.catalog->list(""));
  for (const base::Error& error : open.skipped) session.report(error);
  if (session.wants_json()) {
    session.answer({{"catalog", file.string()},
                    {"snapshots", snapshots.size()},
                    {"skipped_volumes", open.skipped.size()}});
  } else {
    session.output() << "rebuilt " << base::printable(file.string()) << ": "
                     << snapshots.size()
                     << (snapshots.size() == 1 ? " snapshot\n" : " snapshots\n");
  }
  return open.skipped.empty() ? ExitStatus::kDone : ExitStatus::kNotEverything;
}

}  // namespace

const Command kCatalogRebuild{
    .words = "catalog rebuild",
    .group = Group::kRepository,
    .summary = "make this host's catalog anew",
    .synopsis = "",
    .details =
        "Throws this host's catalog away and makes it anew from the repository. No\n"
        "recovery key is needed on a host that has joined. Every command refreshes\n"
        "the catalog by itself; this is for one that is damaged.\n",
    .examples = "  sealift catalog rebuild --repo /mnt/backup\n",
    .arguments = {},
    .add_options = no_options,
    .run = run_rebuild,
};

}  // namespace sealift::cli
