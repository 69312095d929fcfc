// sealift catalog rebuild: the catalog again, from the repository alone.
// Manual: docs/man/sealift-catalog.1
#include "cli/commands.h"
#include "cli/open.h"

namespace sealift::cli {

namespace fs = std::filesystem;

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

// A name beside `file` under which nothing lies: FILE.damaged, FILE.damaged-2, …
fs::path free_name(const fs::path& file) {
  fs::path aside = file.string() + ".damaged";
  for (int number = 2; fs::exists(fs::symlink_status(aside)); ++number) {
    aside = file.string() + ".damaged-" + std::to_string(number);
  }
  return aside;
}

// A damaged catalog is put aside, never deleted.
base::Status put_aside(const Session& session, const fs::path& file) {
  const fs::path aside = free_name(file);
  // Its log goes with it: without it the newest pages are missing, and SQLite would
  // read it into the next database of that name.
  for (const std::string suffix : {"", "-wal", "-shm"}) {
    std::error_code failure;
    fs::rename(file.string() + suffix, aside.string() + suffix, failure);
    if (!failure ||
        (!suffix.empty() && failure == std::errc::no_such_file_or_directory))
      continue;
    return base::Error(base::ErrorCode::kIo, "cannot put the damaged catalog aside")
        .at("file", file.string() + suffix)
        .because(failure.message());
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
  // What is no catalog is not even opened: the name was mistyped, and SQLite removes a
  // log beside it that does not fit.
  std::error_code absent;
  if (fs::file_size(file, absent) > 0 && !absent) {
    RETURN_IF_ERROR(catalog::Catalog::check_is_ours(file));
  }
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
  ASSIGN_OR_RETURN(const OpenRepository open,
                   open_for_reading(session, OnLoss::kReport));
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   open.catalog->list(""));
  if (session.wants_json()) {
    session.answer({{"catalog", file.string()},
                    {"snapshots", snapshots.size()},
                    {"skipped_volumes", open.skipped.size()},
                    {"losses", open.losses.size()}});
  } else {
    session.output() << "rebuilt " << base::printable(file.string()) << ": "
                     << snapshots.size()
                     << (snapshots.size() == 1 ? " snapshot\n" : " snapshots\n");
  }
  session.output().flush();
  return conclude_reading(session, open);
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
