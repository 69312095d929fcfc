// sealift export: a snapshot as files that need no repository.
// Manual: docs/man/sealift-export.1
#include <algorithm>

#include "archive/portable_writer.h"
#include "base/byte_count.h"
#include "base/filesystem.h"
#include "cli/byte_size.h"
#include "cli/commands.h"
#include "cli/key_identity.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/select_snapshot.h"
#include "cli/shell_word.h"
#include "cli/snapshot_answer.h"
#include "restore/volume_checks.h"

namespace sealift::cli {

namespace {

namespace options = boost::program_options;

void add_options(options::options_description& described) {
  auto add = described.add_options();
  add("out", options::value<std::string>()->value_name("FILE.tar"),
      "the new file; of several FILE-0001.tar, FILE-0002.tar and so on");
  add("add-recipient",
      options::value<std::vector<std::string>>()->composing()->value_name(
          "KEY.pub.pem"),
      "who can open the files, too: another site's recovery key; needs --identity");
  add("volume-size", options::value<std::string>()->value_name("SIZE"),
      "no file is larger: \"4095M\" for FAT32; 16 MiB or more");
  add_key_identity_options(described);
}

base::Status check_words(const Session& session, const Values& values) {
  if (!values.has("out")) {
    return base::Error(base::ErrorCode::kUsage, "no file is named to write to")
        .next("name it with --out FILE.tar");
  }
  if (values.has("add-recipient")) {
    return session.chosen().identity ? base::Status(base::Done{})
                                     : load_identity(session).error();
  }
  for (const char* other : {"key-identity", "key-passphrase-file"}) {
    if (!values.has(other)) continue;
    return base::Error(
        base::ErrorCode::kUsage,
        std::string("--") + other + " goes with --add-recipient KEY.pub.pem only");
  }
  return base::Done{};
}

base::Result<keyvault::Recipient> read_recipient(const std::string& file) {
  constexpr std::uint64_t kPemLimit = 64 * base::kKiB;
  auto pem = base::read_file(file, kPemLimit);
  if (!pem) return std::move(pem).error().at("file", file);
  auto recipient = keyvault::Recipient::parse_pem(pem.value());
  if (!recipient) return std::move(recipient).error().at("file", file);
  if (recipient->bits() >= archive::kMinRecipientBits) return recipient;
  return base::Error(base::ErrorCode::kRefused,
                     "archives want a recipient of at least 3072 bits, this one has " +
                         std::to_string(recipient->bits()))
      .at("file", file)
      .next("make one: sealift keyvault new-recovery-key --out KEY.pem");
}

/// Who is added, and what opens things for them.
struct Addition {
  std::optional<keyvault::RecoveryKey> identity;
  std::optional<keyvault::RecoveryKey> key_identity;
  std::optional<archive::AddedRecipients> recipients;
};

// Keeps its place: the recipients refer to the keys beside them.
base::Status read_addition(const Session& session, const Values& values,
                           const OpenRepository& open, Addition& addition) {
  if (!values.has("add-recipient")) return base::Done{};
  std::vector<keyvault::Recipient> added;
  for (const std::string& file : values.all("add-recipient")) {
    ASSIGN_OR_RETURN(keyvault::Recipient recipient, read_recipient(file));
    const auto& known = open.repository.document().recipients;
    const auto is_it = [&recipient](const keyvault::Recipient& one) {
      return one.id() == recipient.id();
    };
    if (std::ranges::any_of(known, is_it) || std::ranges::any_of(added, is_it)) {
      session.warn("recipient " + recipient.id().hex() + " opens it anyway");
      continue;
    }
    added.push_back(std::move(recipient));
  }
  ASSIGN_OR_RETURN(addition.identity, load_identity(session));
  ASSIGN_OR_RETURN(addition.key_identity, load_key_identity(session, values));
  addition.recipients.emplace(
      *addition.identity,
      addition.key_identity ? *addition.key_identity : *addition.identity,
      std::move(added));
  return base::Done{};
}

base::Result<archive::PortableRequest> read_request(const Session& session,
                                                    const Values& values,
                                                    const OpenRepository& open,
                                                    Addition& addition) {
  archive::PortableRequest request;
  request.out = *values.one("out");
  request.recipients = open.repository.document().recipients;
  if (addition.recipients) request.added = &*addition.recipients;
  request.created = session.surroundings().clock.now();
  const auto size = values.one("volume-size");
  if (!size) return request;
  request.volume_size = byte_size(*size);
  if (!request.volume_size) {
    return base::Error(base::ErrorCode::kUsage,
                       "a size is a number and a unit, like \"4095M\"")
        .at("option", "--volume-size " + *size);
  }
  return request;
}

base::Error needs_vault(const Session& session) {
  return base::Error(base::ErrorCode::kNotFound,
                     "an export is signed, and there is no key vault")
      .at("keyvault", session.chosen().key_vault.string())
      .next(
          "export on a host that backs up to the repository, or make a key vault: "
          "sealift keyvault init");
}

base::Json files_json(const std::vector<archive::PortableFile>& files) {
  base::Json list = base::Json::array();
  for (const archive::PortableFile& file : files) {
    list.push_back({{"file", file.path.string()}, {"size", file.size}});
  }
  return list;
}

void say_how_to_restore(const Session& session, const catalog::Snapshot& snapshot,
                        const std::vector<archive::PortableFile>& files,
                        const archive::SignerId& own) {
  std::string line = "restore it anywhere with: sealift restore --archive";
  for (const archive::PortableFile& file : files) {
    line += " " + shell_word(base::printable(file.path.string()));
  }
  session.say(line + " --signer SIGNER.pub.pem --identity KEY.pem");
  session.say(snapshot.signer == own
                  ? "SIGNER.pub.pem is what `sealift keyvault export-signer` gives here"
                  : "with a --signer for this host, which wrote the files, and one for "
                    "the host "
                    "that took the snapshot: `sealift keyvault export-signer` gives "
                    "them there");
}

base::Result<std::vector<archive::PortableFile>> write(
    const Session& session, const OpenRepository& open,
    const catalog::Snapshot& snapshot, const archive::PortableRequest& request) {
  ASSIGN_OR_RETURN(const archive::RepositoryKeys* const keys, keys_of(open));
  const archive::VolumeSource source = open.repository.source();
  ASSIGN_OR_RETURN(const archive::Volume last,
                   restore::open_believed(source, snapshot.last_volume));
  ASSIGN_OR_RETURN(
      const std::unique_ptr<archive::SnapshotReader> reader,
      archive::SnapshotReader::open(source, last, *keys, nullptr, *open.catalog));
  Progress progress(session);
  const auto told = [&](std::uint64_t done, std::uint64_t all) {
    progress.show("copying " + base::ByteCount(done).text() + " of " +
                  base::ByteCount(all).text());
  };
  auto files = archive::write_portable(
      {source, *reader, last, *keys}, request, open.vault->signing_key(),
      base::real_filesystem(), told, session.surroundings().stop);
  progress.clear();
  return files;
}

base::Result<ExitStatus> run(const Session& session, const Values& values) {
  RETURN_IF_ERROR(check_words(session, values));
  ASSIGN_OR_RETURN(const OpenRepository open,
                   open_for_reading(session, OnLoss::kReport));
  if (!open.vault) return needs_vault(session);
  Addition addition;
  RETURN_IF_ERROR(read_addition(session, values, open, addition));
  ASSIGN_OR_RETURN(const archive::PortableRequest request,
                   read_request(session, values, open, addition));
  ASSIGN_OR_RETURN(const catalog::Snapshot snapshot,
                   select_snapshot(session, open, values.arguments().front()));
  auto files = write(session, open, snapshot, request);
  if (!files) return std::move(files).error().at("snapshot", snapshot.id.hex());
  if (session.wants_json()) {
    base::Json object = to_json(snapshot);
    object["files"] = files_json(files.value());
    session.answer(object);
    return ExitStatus::kDone;
  }
  session.output() << base::printable(vm_label(snapshot)) << ": snapshot "
                   << short_id(snapshot.id) << " of " << snapshot.created.text()
                   << " is in\n";
  for (const archive::PortableFile& file : files.value()) {
    session.output() << "  " << base::printable(file.path.string()) << "  "
                     << base::ByteCount(file.size).text() << "\n";
  }
  session.output().flush();
  say_how_to_restore(session, snapshot, files.value(),
                     open.vault->signing_key().public_key().id());
  return ExitStatus::kDone;
}

}  // namespace

const Command kExport{
    .words = "export",
    .group = Group::kBringBack,
    .summary = "a snapshot as files that need no repository",
    .synopsis = "SNAPSHOT --out FILE.tar [OPTIONS]",
    .details =
        "Writes one snapshot into a file that `sealift restore --archive` brings back\n"
        "anywhere: with the recovery key and the signer's public key, and with no\n"
        "repository, catalog or key vault. What is sealed is copied as it is, after "
        "it\n"
        "was held against its signed sums; no recovery key is needed. Nothing is\n"
        "overwritten.\n"
        "With --add-recipient another site's recovery key opens the files, too; that\n"
        "wants a recovery key of this repository.\n"
        "SNAPSHOT is an id or the start of one, VM, VM@latest or VM@TIME.\n",
    .examples =
        "  sealift export web-01 --out /media/usb/web-01.tar --volume-size 4095M\n",
    .arguments = {.least = 1, .most = 1},
    .add_options = add_options,
    .run = run,
};

}  // namespace sealift::cli
