#include "cli/open.h"

#include <unistd.h>

#include <cerrno>

#include "archive/folder_store.h"
#include "catalog/losses.h"
#include "cli/passphrase.h"

namespace sealift::cli {

namespace fs = std::filesystem;

namespace {

constexpr mode_t kCatalogFolderMode = 0700;

base::Error usage(std::string what) {
  return {base::ErrorCode::kUsage, std::move(what)};
}

// Shows the id that was found; the person compares it with the one on paper.
bool ask_to_compare(const Session& session, const archive::RepositoryDocument& found) {
  const auto answer = session.surroundings().terminal->ask(
      "This host does not know the repository yet. Its id is\n\n" +
      grouped(found.id, "    ") +
      "\n\nCompare it with the one on the sheet, or on a host that knows it.\n"
      "Is it the same, digit by digit? (yes/no) ");
  return answer && answer.value() == "yes";
}

base::Result<catalog::RefreshReport> refresh(const OpenRepository& open,
                                             catalog::Unbelieved unbelieved) {
  std::optional<archive::SignerId> own;
  std::optional<keyvault::ChainHead> own_head;
  if (open.vault) {
    own = open.vault->signing_key().public_key().id();
    ASSIGN_OR_RETURN(own_head, open.vault->head(open.repository.id()));
  }
  return open.catalog->refresh(open.repository, open.keys ? &*open.keys : nullptr, own,
                               own_head, unbelieved);
}

// A key vault knows ids and names; whoever forgot to name his is told so.
std::string no_vault(const Session& session) {
  return "there is no key vault in " + session.chosen().key_vault.string() +
         "; if this host has one, name it with --keyvault";
}

bool cannot_be_written(const base::Error& error) {
  return error.code() == base::ErrorCode::kIo ||
         error.code() == base::ErrorCode::kNotFound;
}

}  // namespace

base::Result<keyvault::KeyVault> open_vault(const Session& session) {
  const fs::path& folder = session.chosen().key_vault;
  auto vault = keyvault::KeyVault::open(folder);
  if (vault || ::access(folder.c_str(), R_OK | X_OK) == 0 || errno != EACCES) {
    return vault;
  }
  // Not ours, and not to be read by us either: that is the system's refusal.
  return base::system_error(EACCES, "this user may not read the key vault")
      .at("folder", folder.string())
      .next("run as root, or as the user who owns it");
}

base::Result<std::optional<keyvault::KeyVault>> open_vault_if_any(
    const Session& session) {
  auto vault = open_vault(session);
  if (vault) return std::optional(std::move(vault).value());
  if (vault.error().code() != base::ErrorCode::kNotFound) {
    return std::move(vault).error();
  }
  session.mention("there is no key vault in " +
                  base::printable(session.chosen().key_vault.string()));
  return std::optional<keyvault::KeyVault>();
}

base::Result<keyvault::RecoveryKey> load_identity(const Session& session) {
  const auto& file = session.chosen().identity;
  if (!file) {
    return usage("this command needs a recovery key")
        .next("name its file with --identity KEY.pem");
  }
  if (file->string().starts_with("pkcs11:")) {
    return usage("this version reads recovery keys from files only")
        .at("identity", file->string());
  }
  auto key = keyvault::RecoveryKey::load(*file, passphrase_source(session, *file));
  std::error_code ignored;
  // What is not there may also be the file of its passphrase.
  if (!key && !fs::exists(*file, ignored)) {
    return std::move(key).error().next("name the recovery key's file with --identity");
  }
  return key;
}

base::Result<fs::path> repository_folder(const Session& session) {
  const auto& named = session.chosen().repository;
  if (!named) {
    return usage("no repository is named")
        .next("name its folder with --repo DIR, or in SEALIFT_REPO");
  }
  if (named->starts_with("s3:")) {
    return usage("this version reads repositories in folders only")
        .at("repository", *named);
  }
  return fs::path(*named);
}

base::Result<archive::Repository> open_repository(const Session& session,
                                                  const keyvault::KeyVault* vault) {
  ASSIGN_OR_RETURN(const fs::path folder, repository_folder(session));
  auto opened = archive::open_folder(folder, base::real_filesystem());
  std::error_code ignored;
  if (!opened && opened.error().code() == base::ErrorCode::kNotFound &&
      fs::exists(folder, ignored)) {
    return std::move(opened).error().next("name the folder that holds repository.json");
  }
  if (!opened && opened.error().code() == base::ErrorCode::kNotFound) {
    return base::Error(base::ErrorCode::kNotFound, "there is no repository")
        .at("repository", folder.string())
        .next("is it mounted? mount it, then run the command again");
  }
  if (!opened) return std::move(opened).error();
  std::shared_ptr<archive::ObjectStore> store = std::move(opened).value();
  archive::Expectation expectation;
  expectation.id = session.chosen().repository_id;
  expectation.vault = vault;
  if (session.surroundings().terminal != nullptr) {
    expectation.confirm = [&session](const archive::RepositoryDocument& found) {
      return ask_to_compare(session, found);
    };
  }
  const bool has_nothing_to_compare = vault == nullptr && !expectation.id;
  auto repository = archive::Repository::open(std::move(store), expectation);
  if (!repository && session.surroundings().stop.stop_requested()) {
    return base::Error(base::ErrorCode::kInterrupted, "stopped before it began");
  }
  if (!repository && has_nothing_to_compare &&
      repository.error().code() == base::ErrorCode::kCorrupt) {
    return std::move(repository).error().next(no_vault(session));
  }
  return repository;
}

fs::path catalog_file(const Session& session, const archive::RepositoryId& repository) {
  const fs::path usual =
      fs::path(kDefaultCatalogFolder) / ("catalog-" + repository.hex() + ".db");
  return session.chosen().catalog.value_or(usual);
}

base::Result<std::unique_ptr<catalog::Catalog>> open_catalog(
    const Session& session, const archive::RepositoryId& repository) {
  const fs::path file = catalog_file(session, repository);
  if (session.chosen().catalog) return catalog::Catalog::open(file, repository);
  const base::Status folder = base::real_filesystem().create_directories(
      kDefaultCatalogFolder, kCatalogFolderMode);
  if (folder) {
    auto opened = catalog::Catalog::open(file, repository);
    if (opened || !cannot_be_written(opened.error())) return opened;
  }
  session.mention("the catalog is kept in memory: " + file.parent_path().string() +
                  " cannot be written");
  return catalog::Catalog::open_in_memory(repository);
}

base::Result<OpenRepository> open_for_reading(const Session& session, OnLoss on_loss) {
  ASSIGN_OR_RETURN(std::optional<keyvault::KeyVault> vault, open_vault_if_any(session));
  ASSIGN_OR_RETURN(archive::Repository repository,
                   open_repository(session, vault ? &*vault : nullptr));
  std::optional<keyvault::RecoveryKey> identity;
  if (session.chosen().identity) {
    ASSIGN_OR_RETURN(identity, load_identity(session));
  }
  std::optional<archive::RepositoryKeys> keys;
  if (vault) {
    auto held = repository.keys(*vault);
    if (held) {
      keys = std::move(held).value();
    } else if (held.error().code() != base::ErrorCode::kNotFound) {
      return std::move(held).error();
    }
  }
  if (!keys && identity) {
    ASSIGN_OR_RETURN(keys, repository.keys(*identity));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<catalog::Catalog> catalog,
                   open_catalog(session, repository.id()));
  OpenRepository open{std::move(vault),
                      std::move(identity),
                      std::move(repository),
                      std::move(keys),
                      std::move(catalog),
                      {},
                      {}};
  auto report =
      refresh(open, on_loss == OnLoss::kReport ? catalog::Unbelieved::kAcceptLoss
                                               : catalog::Unbelieved::kSkip);
  if (!report) {
    // A volume that was skipped leaves a gap: the volume says more than the gap.
    auto checked = check_nothing_is_disbelieved(open);
    if (checked) return std::move(report).error();
    base::Error error = std::move(checked).error();
    if (catalog::is_loss(report.error()) && !catalog::is_loss(error)) {
      error.next(catalog::kRestoreTheRest);
    }
    return error;
  }
  open.skipped = std::move(report->skipped);
  open.losses = std::move(report->losses);
  return open;
}

base::Result<ExitStatus> conclude_reading(const Session& session,
                                          const OpenRepository& open) {
  for (const base::Error& error : open.skipped) session.report(error);
  return conclude_losses(
      session, open,
      open.skipped.empty() ? ExitStatus::kDone : ExitStatus::kNotEverything);
}

base::Result<ExitStatus> conclude_losses(const Session& session,
                                         const OpenRepository& open,
                                         ExitStatus without) {
  if (open.losses.empty()) return without;
  for (std::size_t at = 0; at + 1 < open.losses.size(); ++at) {
    session.report(open.losses[at]);
  }
  return open.losses.back();
}

base::Status check_nothing_is_disbelieved(const OpenRepository& open) {
  ASSIGN_OR_RETURN(const catalog::RefreshReport report,
                   refresh(open, catalog::Unbelieved::kStop));
  static_cast<void>(report);
  return base::Done{};
}

namespace {

base::Error needs_key(const OpenRepository& open, std::string what) {
  return base::Error(base::ErrorCode::kNotFound, std::move(what))
      .at("repository", open.repository.store().place())
      .next("name a recovery key with --identity KEY.pem")
      .next("or let this host join: `sealift repo join --identity KEY.pem`");
}

}  // namespace

base::Error names_are_sealed(const OpenRepository& open) {
  return needs_key(open,
                   "names of VMs are sealed, and this host does not hold the "
                   "repository key");
}

base::Result<const archive::RepositoryKeys*> keys_of(const OpenRepository& open) {
  if (open.keys) return &*open.keys;
  return needs_key(open, "this host does not hold the repository key");
}

}  // namespace sealift::cli
