// sealift repo init: a new repository.  Manual: docs/man/sealift-repo.1
#include <unistd.h>

#include <cerrno>

#include "archive/folder_store.h"
#include "archive/unfinished_init.h"
#include "base/byte_count.h"
#include "base/filesystem.h"
#include "cli/commands.h"
#include "cli/open.h"
#include "cli/shell_word.h"
#include "cli/whole_number.h"

namespace sealift::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kPemLimit = 64 * base::kKiB;
constexpr mode_t kFolderMode = 0755;
constexpr unsigned kHighestNumber = 65536;

void add_options(boost::program_options::options_description& described) {
  namespace options = boost::program_options;
  described.add_options()(
      "recipient",
      options::value<std::vector<std::string>>()->composing()->value_name(
          "KEY.pub.pem"),
      "a recovery key's public half; give two, for two safes")(
      "chunk-size", options::value<std::string>()->value_name("KiB"),
      "what disks are cut into: 64, 128, ... 4096 [256]")(
      "zstd-level", options::value<std::string>()->value_name("N"),
      "how hard every host compresses: 1, the fastest, to 19 [1]");
}

/// An option that takes a number, and what it may be.
struct NumberOption {
  const char* name;
  unsigned unit;
  bool (*is_valid)(std::uint64_t number);
  const char* rule;
};
constexpr NumberOption kChunkSize{
    "chunk-size", base::kKiB, archive::is_chunk_size,
    "a chunk size is 64, 128, 256, 512, 1024, 2048 or 4096 KiB"};
constexpr NumberOption kZstdLevel{"zstd-level", 1, archive::is_zstd_level,
                                  "a zstd level is a whole number from 1 to 19"};

base::Status read_number(const Values& values, const NumberOption& option,
                         unsigned& number) {
  const auto said = values.one(option.name);
  if (!said) return base::Done{};
  const std::optional<std::uint64_t> parsed = whole_number(*said);
  if (parsed && *parsed <= kHighestNumber && option.is_valid(*parsed * option.unit)) {
    number = static_cast<unsigned>(*parsed) * option.unit;
    return base::Done{};
  }
  return base::Error(base::ErrorCode::kUsage, option.rule)
      .at("option", std::string("--") + option.name + " " + *said);
}

base::Result<archive::RepositorySettings> read_settings(const Values& values) {
  archive::RepositorySettings settings;
  RETURN_IF_ERROR(read_number(values, kChunkSize, settings.chunk_size));
  RETURN_IF_ERROR(read_number(values, kZstdLevel, settings.zstd_level));
  return settings;
}

base::Result<std::vector<keyvault::Recipient>> read_recipients(const Values& values) {
  std::vector<keyvault::Recipient> recipients;
  for (const std::string& file : values.all("recipient")) {
    auto pem = base::read_file(file, kPemLimit);
    if (!pem) return std::move(pem).error().at("recipient", file);
    auto recipient = keyvault::Recipient::parse_pem(pem.value());
    if (!recipient) return std::move(recipient).error().at("recipient", file);
    recipients.push_back(std::move(recipient).value());
  }
  if (!recipients.empty()) return recipients;
  return base::Error(base::ErrorCode::kUsage, "a repository needs a recipient")
      .next("name a recovery key's public half: --recipient KEY.pub.pem")
      .next("make one, away from this host: `sealift keyvault new-recovery-key`");
}

/// A folder made for the repository: goes again, if empty, unless it is kept.
class MadeFolder {
 public:
  static base::Result<MadeFolder> make(const fs::path& path) {
    std::error_code ignored;
    if (fs::exists(path, ignored)) return MadeFolder({});
    RETURN_IF_ERROR(base::real_filesystem().create_directories(path, kFolderMode));
    return MadeFolder(path);
  }
  MadeFolder(MadeFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  MadeFolder& operator=(MadeFolder&&) = delete;
  ~MadeFolder() {
    if (!path_.empty()) static_cast<void>(::rmdir(path_.c_str()));
  }

  void keep() { path_.clear(); }

 private:
  explicit MadeFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

void say_what_to_keep(const Session& session, const archive::Repository& repository) {
  session.say("Made a repository in " + base::printable(repository.store().place()) +
              "; this host has remembered its id.\n"
              "For the worst day keep, away from here, the recovery kit:\n"
              "  - a recovery key (the private half of a recipient)\n"
              "  - the repository id; best on paper: sealift repo sheet --out "
              "sheet.html");
  if (repository.document().recipients.size() == 1) {
    session.warn(
        "there is one recipient: if that recovery key is lost, so is every backup");
  }
  for (const keyvault::Recipient& recipient : repository.document().key_recipients) {
    session.warn("recipient " + recipient.id().hex() + " has " +
                 std::to_string(recipient.bits()) +
                 " bits: protection keys that Azure Local wrapped to it are taken, "
                 "archives cannot be read with it");
  }
}

base::Result<ExitStatus> run_init(const Session& session, const Values& values) {
  ASSIGN_OR_RETURN(const fs::path folder, repository_folder(session));
  ASSIGN_OR_RETURN(std::vector<keyvault::Recipient> recipients,
                   read_recipients(values));
  ASSIGN_OR_RETURN(const archive::RepositorySettings settings, read_settings(values));
  ASSIGN_OR_RETURN(keyvault::KeyVault vault, open_vault(session));
  ASSIGN_OR_RETURN(MadeFolder made, MadeFolder::make(folder));
  ASSIGN_OR_RETURN(const base::FileDescriptor lock, archive::lock_for_init(folder));
  // One that was killed could not clean up.
  RETURN_IF_ERROR(archive::clear_unfinished_init(folder));
  ASSIGN_OR_RETURN(std::shared_ptr<archive::ObjectStore> store,
                   archive::open_folder(folder, base::real_filesystem()));
  const auto repository = archive::Repository::init(std::move(store), vault,
                                                    std::move(recipients), settings);
  if (!repository) {
    // Another init's, or what was there before, is not ours to clear.
    const base::ErrorCode code = repository.error().code();
    if (code == base::ErrorCode::kRefused || code == base::ErrorCode::kBusy) {
      return repository.error();
    }
    if (const auto cleared = archive::clear_unfinished_init(folder); !cleared) {
      session.report(cleared.error());
    }
    return repository.error();
  }
  made.keep();
  if (session.wants_json()) {
    session.answer({{"id", repository->id().hex()}, {"repo", folder.string()}});
  } else {
    session.output() << repository->id().hex() << "\n";
  }
  session.output().flush();
  say_what_to_keep(session, repository.value());
  return ExitStatus::kDone;
}

}  // namespace

const Command kRepoInit{
    .words = "repo init",
    .group = Group::kRepository,
    .summary = "make a repository and print its id",
    .synopsis = "--recipient KEY.pub.pem [--recipient ...]",
    .details =
        "Makes a repository in a new or empty folder, readable by the recovery keys\n"
        "whose public halves are named, each of them alone. Prints the repository\n"
        "id, which names it for ever: keep it with the recovery keys. This host is\n"
        "its founder. A recipient of 2048 bits, beside one that has more, is for the\n"
        "protection keys that Azure Local's Export-MocKey wraps, and reads no "
        "archive.\n",
    .examples =
        "  sealift repo init --repo /mnt/backup --recipient safe-1.pub.pem \\\n"
        "      --recipient safe-2.pub.pem\n",
    .arguments = {},
    .add_options = add_options,
    .run = run_init,
};

}  // namespace sealift::cli
