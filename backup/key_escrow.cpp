#include "backup/key_escrow.h"

#include <algorithm>
#include <map>
#include <set>

#include "backup/export_inbox.h"
#include "backup/exported_keys.h"
#include "base/uuid.h"
#include "vm/hyperv_files.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

base::Result<EscrowedKey> keep(const ExportedKey& key,
                               const archive::RepositoryDocument& repository,
                               keyvault::KeyVault& vault) {
  EscrowedKey kept{key.path, key.name, EscrowState::kRefused, ""};
  if (key.refused) {
    kept.reason = key.refused->what();
    return kept;
  }
  if (!is_recipient(repository, key.wrapped_to)) {
    kept.reason =
        "it is wrapped to " + key.wrapped_to.hex() + ", no recipient of the repository";
    return kept;
  }
  if (is_other_key(key)) {
    kept.reason =
        "a wrapping key that was left in the key vault; remove it there "
        "(Remove-MocKey), it is in the way of a later import";
    return kept;
  }
  if (!base::Uuid::is_uuid(key.name) && key.name != kAttestationRootKey) {
    kept.reason = "its name does not say which VM it is for: VM-id_256.json";
    return kept;
  }
  auto is_new = vault.keep_exported_key(key.name, base::as_bytes(key.text));
  if (!is_new) return std::move(is_new).error();
  kept.state = is_new.value() ? EscrowState::kNew : EscrowState::kKnown;
  return kept;
}

}  // namespace

base::Result<EscrowReport> escrow_keys(const fs::path& folder,
                                       const archive::RepositoryDocument& repository,
                                       keyvault::KeyVault& vault) {
  EscrowReport report;
  ASSIGN_OR_RETURN(const Inventories inventories, read_inventories(folder));
  if (!inventories.unread.empty()) return inventories.unread.front();
  report.has_inventory = !inventories.documents.empty();
  ASSIGN_OR_RETURN(const std::vector<ExportedKey> keys, read_exported_keys({folder}));
  for (const ExportedKey& key : keys) {
    ASSIGN_OR_RETURN(EscrowedKey kept, keep(key, repository, vault));
    report.keys.push_back(std::move(kept));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> held, vault.exported_keys());
  std::set<std::pair<std::string, std::string>> without;
  for (const ExportDocument& document : inventories.documents) {
    for (const InventoryVm& vm : document.inventory) {
      if (!vm.is_trusted_launch || std::ranges::binary_search(held, vm.id)) continue;
      without.insert({vm.id, vm.name});
    }
  }
  for (const auto& [id, name] : without) {
    report.without_key.push_back(std::string(name).append(" (").append(id).append(")"));
  }
  return report;
}

}  // namespace sealift::backup
