// sealift repo sheet: the page for the safe.  Manual: docs/man/sealift-repo.1
#include "base/filesystem.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/new_file.h"
#include "cli/open.h"
#include "cli/recovery_sheet.h"

namespace sealift::cli {

namespace {

constexpr mode_t kSheetMode = 0644;

void add_options(boost::program_options::options_description& described) {
  namespace options = boost::program_options;
  described.add_options()("out", options::value<std::string>()->value_name("FILE.html"),
                          "the new page");
}

base::Result<ExitStatus> run_sheet(const Session& session, const Values& values) {
  const auto out = values.one("out");
  if (!out) {
    return base::Error(base::ErrorCode::kUsage, "the sheet needs a file name")
        .next("name it with --out FILE.html");
  }
  ASSIGN_OR_RETURN(const Configuration configuration, read_configuration(session));
  ASSIGN_OR_RETURN(const std::optional<keyvault::KeyVault> vault,
                   open_vault_if_any(session));
  ASSIGN_OR_RETURN(const archive::Repository repository,
                   open_repository(session, vault ? &*vault : nullptr));
  std::error_code ignored;
  const auto place = std::filesystem::absolute(repository.store().place(), ignored);
  const std::string page =
      recovery_sheet({.place = place.string(),
                      .cluster = configuration.cluster,
                      .host = session.surroundings().host,
                      .made = session.surroundings().clock.now(),
                      .id = repository.id(),
                      .recipients = repository.document().recipients,
                      .key_recipients = repository.document().key_recipients});
  RETURN_IF_ERROR(write_new_file(*out, base::as_bytes(page), kSheetMode));
  if (session.wants_json()) {
    session.answer({{"file", *out}, {"id", repository.id().hex()}});
  } else {
    session.output() << *out << "\n";
  }
  session.say("Print it, fill in the lines, and put it where the recovery keys are.");
  return ExitStatus::kDone;
}

}  // namespace

const Command kRepoSheet{
    .words = "repo sheet",
    .group = Group::kRepository,
    .summary = "write the page to print for the safe",
    .synopsis = "--out FILE.html",
    .details =
        "Writes one page of HTML to print: where the repository is, its id in groups\n"
        "for reading aloud, the recovery keys, the commands of a restore, lines to\n"
        "fill in. Nothing on it is secret.\n",
    .examples = "  sealift repo sheet --repo /mnt/backup --out sheet.html\n",
    .arguments = {},
    .add_options = add_options,
    .run = run_sheet,
};

}  // namespace sealift::cli
