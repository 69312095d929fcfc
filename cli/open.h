// Opening what commands work with, in one place: the same words for the same failure.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "archive/repository.h"
#include "catalog/catalog.h"
#include "cli/session.h"
#include "keyvault/recovery_key.h"
#include "keyvault/vault.h"

namespace sealift::cli {

/// errors  kNotFound: there is none.  kRefused: others can read it.  kIo: this user may
///         not.
base::Result<keyvault::KeyVault> open_vault(const Session& session);

/// None where a fresh host has none. errors  as open_vault(), but kNotFound.
base::Result<std::optional<keyvault::KeyVault>> open_vault_if_any(
    const Session& session);

/// The recovery key of --identity.
/// errors  kUsage: the option is missing.  As keyvault::RecoveryKey::load().
base::Result<keyvault::RecoveryKey> load_identity(const Session& session);

/// The folder of --repo.
/// errors  kUsage: none is named, or it is no folder's name ("s3://...").
base::Result<std::filesystem::path> repository_folder(const Session& session);

/// The repository of --repo, known to be the one meant: by --repo-id, by a pin in
/// `vault` (may be null), or because a person at the terminal compared.
/// errors  as archive::Repository::open().
base::Result<archive::Repository> open_repository(const Session& session,
                                                  const keyvault::KeyVault* vault);

/// The catalog: --catalog, else the default place; in memory where that cannot be
/// written and none was named.
/// errors  as catalog::Catalog::open().
base::Result<std::unique_ptr<catalog::Catalog>> open_catalog(
    const Session& session, const archive::RepositoryId& repository);

/// Where open_catalog() keeps it.
std::filesystem::path catalog_file(const Session& session,
                                   const archive::RepositoryId& repository);

/// A repository, what opens it, and what is in it.
struct OpenRepository {
  std::optional<keyvault::KeyVault> vault;
  std::optional<keyvault::RecoveryKey> identity;  ///< Only if named.
  archive::Repository repository;
  std::optional<archive::RepositoryKeys> keys;  ///< None: manifests stay closed.
  std::unique_ptr<catalog::Catalog> catalog;    ///< Refreshed.
  std::vector<base::Error> skipped;             ///< Volumes that are not believed.
  std::vector<base::Error> losses;              ///< What is missing, with kReport.
};

/// What to do where records or volumes are missing.
enum class OnLoss {
  kStop,    ///< Refuse: what is newest cannot be known.
  kReport,  ///< Go on with what is there, and say what is not.
};

/// Everything that list, show, verify and restore read from. Keys come from the key
/// vault, else from --identity. Volumes that are not believed are in `skipped`: the
/// caller reports them, or stops.
/// errors  as the functions above.  kCorrupt: a signer's chain has a fork; with kStop
///         also a gap (the volume that made it, if it is there and not believed, is
///         named instead), or a volume that is missing.
base::Result<OpenRepository> open_for_reading(const Session& session, OnLoss on_loss);

/// What a command ends with that has said all that is there: the losses and the volumes
/// that are not believed, reported.
/// errors  kCorrupt: the last of the losses.
base::Result<ExitStatus> conclude_reading(const Session& session,
                                          const OpenRepository& open);

/// The same of the losses alone; `without` any, that is the status.
base::Result<ExitStatus> conclude_losses(const Session& session,
                                         const OpenRepository& open,
                                         ExitStatus without);

/// The keys of `open`.
/// errors  kNotFound: neither the key vault nor --identity gives them.
base::Result<const archive::RepositoryKeys*> keys_of(const OpenRepository& open);

/// For what is asked for by a name where nothing opens the names.
base::Error names_are_sealed(const OpenRepository& open);

/// That every volume in the repository is believed: what "the newest of this VM" rests
/// on. Volumes of a revoked signer, which are held on purpose, do not count.
/// errors  kCorrupt: names the first that is not.
base::Status check_nothing_is_disbelieved(const OpenRepository& open);

}  // namespace sealift::cli
