// sealift repo show: who can read and write a repository.
// Manual: docs/man/sealift-repo.1
#include "archive/volume.h"
#include "base/byte_count.h"
#include "cli/commands.h"
#include "cli/open.h"

namespace sealift::cli {

namespace {

void no_options(boost::program_options::options_description& /*described*/) {}

struct Stored {
  std::size_t volumes = 0;
  std::uint64_t bytes = 0;
};

base::Result<Stored> measure(const archive::Repository& repository) {
  ASSIGN_OR_RETURN(const std::vector<archive::ObjectInfo> objects,
                   repository.store().list("archives/"));
  Stored stored;
  for (const archive::ObjectInfo& object : objects) {
    stored.bytes += object.size;
    if (archive::parse_volume_name(object.name)) ++stored.volumes;
  }
  return stored;
}

const char* text(archive::Role role) {
  return role == archive::Role::kKeeper ? "keeper" : "writer";
}

base::Json recipients_json(const std::vector<keyvault::Recipient>& recipients) {
  base::Json list = base::Json::array();
  for (const keyvault::Recipient& recipient : recipients) {
    list.push_back({{"id", recipient.id().hex()}, {"bits", recipient.bits()}});
  }
  return list;
}

base::Json signers_json(const archive::Trust& trust) {
  base::Json list = base::Json::array();
  for (const archive::KnownSigner& signer : trust.signers()) {
    base::Json one{{"id", signer.key.id().hex()},
                   {"role", text(signer.role)},
                   {"origin", signer.origin}};
    // The founder's is the repository's own beginning, which nobody wrote down.
    if (signer.since.seconds() != 0) one["since"] = signer.since.text();
    if (signer.revoked_since) one["revoked_since"] = signer.revoked_since->text();
    list.push_back(std::move(one));
  }
  return list;
}

void print(std::ostream& output, const std::vector<keyvault::Recipient>& recipients) {
  for (const keyvault::Recipient& recipient : recipients) {
    output << "  " << recipient.id().hex() << "  " << recipient.bits() << " bits\n";
  }
}

void print(std::ostream& output, const archive::Repository& repository,
           const Stored& stored) {
  const archive::RepositoryDocument& document = repository.document();
  output << "repository  " << base::printable(repository.store().place()) << "\n"
         << "id          " << document.id.hex() << "\n"
         << "size        " << base::ByteCount(stored.bytes).text() << " in "
         << stored.volumes << (stored.volumes == 1 ? " volume" : " volumes")
         << ", chunks of " << base::ByteCount(document.settings.chunk_size).text()
         << ", zstd level " << document.settings.zstd_level << "\n"
         << "\nrecipients (whose recovery keys read everything, each alone)\n";
  print(output, document.recipients);
  if (!document.key_recipients.empty()) {
    output << "\nkey recipients (whose recovery keys open protection keys alone)\n";
    print(output, document.key_recipients);
  }
  output << "\nsigners (who can write)\n";
  for (const archive::KnownSigner& signer : repository.trust().signers()) {
    output << "  " << signer.key.id().hex() << "\n      " << text(signer.role) << ", "
           << base::printable(signer.origin);
    if (signer.since.seconds() != 0) output << ", since " << signer.since.text();
    if (signer.revoked_since) {
      output << ", revoked since " << signer.revoked_since->text();
    }
    output << "\n";
  }
}

base::Result<ExitStatus> run_show(const Session& session, const Values& /*values*/) {
  ASSIGN_OR_RETURN(const std::optional<keyvault::KeyVault> vault,
                   open_vault_if_any(session));
  ASSIGN_OR_RETURN(const archive::Repository repository,
                   open_repository(session, vault ? &*vault : nullptr));
  ASSIGN_OR_RETURN(const Stored stored, measure(repository));
  if (!session.wants_json()) {
    print(session.output(), repository, stored);
    return ExitStatus::kDone;
  }
  session.answer(
      {{"id", repository.id().hex()},
       {"repo", repository.store().place()},
       {"chunk_size", repository.document().settings.chunk_size},
       {"zstd_level", repository.document().settings.zstd_level},
       {"recipients", recipients_json(repository.document().recipients)},
       {"key_recipients", recipients_json(repository.document().key_recipients)},
       {"signers", signers_json(repository.trust())},
       {"volumes", stored.volumes},
       {"stored_bytes", stored.bytes}});
  return ExitStatus::kDone;
}

}  // namespace

const Command kRepoShow{
    .words = "repo show",
    .group = Group::kRepository,
    .summary = "show its id, who can read, who can write, size",
    .synopsis = "",
    .details =
        "Shows the repository id, the recipients (whose recovery keys read\n"
        "everything), the signers (who may write, since when) and the size.\n",
    .examples = "  sealift repo show --repo /mnt/backup\n",
    .arguments = {},
    .add_options = no_options,
    .run = run_show,
};

}  // namespace sealift::cli
