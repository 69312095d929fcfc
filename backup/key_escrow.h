// Every protection key that an Azure Local cluster exported, kept: `keyvault escrow`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "archive/repository_document.h"
#include "base/timestamp.h"
#include "keyvault/vault.h"

namespace sealift::backup {

enum class EscrowState { kNew, kKnown, kRefused };

struct EscrowedKey {
  std::filesystem::path file;
  std::string name;  ///< A VM's id, or another key's name.
  EscrowState state = EscrowState::kNew;
  std::string reason;      ///< Why it is refused.
  keyvault::KeptKey kept;  ///< Unless it is refused.
};

/// An inventory that cannot be read.
struct BadInventory {
  std::filesystem::path file;
  std::string reason;
};

struct EscrowReport {
  std::vector<EscrowedKey> keys;  ///< In the order of their files.
  /// "NAME (id)" of Trusted Launch VMs in the clusters' inventories of which no key is
  /// kept, in the order of their ids.
  std::vector<std::string> without_key;
  bool has_inventory = false;
  std::vector<BadInventory> bad_inventories;
};

/// Looks at every exported key below `folder`, keeps in `vault` the wrapped ones whose
/// wrapping key is a recipient of `repository`, and asks the inventories there
/// (sealift-export.json) which VMs have none. Files that are no keys are passed over.
/// now  The time of a key that nothing says the time of.
/// errors  kNotFound: there is neither a key nor an inventory.  kRefused: as
///         list_key_files().  kIo.
base::Result<EscrowReport> escrow_keys(const std::filesystem::path& folder,
                                       const archive::RepositoryDocument& repository,
                                       keyvault::KeyVault& vault, base::Timestamp now);

}  // namespace sealift::backup
