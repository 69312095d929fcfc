#include "backup/key_escrow.h"

#include <algorithm>
#include <set>

#include "backup/export_inbox.h"
#include "backup/exported_keys.h"
#include "base/uuid.h"
#include "vm/hyperv_files.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

// "inbox/" ends in an empty name, which no file's folder has.
fs::path without_slash(const fs::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

// Beside a single key file there are none.
base::Result<ExportDocuments> documents_in(const fs::path& place) {
  std::error_code ignored;
  if (!fs::is_directory(place, ignored)) return ExportDocuments();
  return read_documents(place);
}

// RFC 3339, of the export that the file lies in; empty: nothing says it.
std::string created(const fs::path& file, const ExportDocuments& documents) {
  for (fs::path place = file.parent_path(); place.has_relative_path();
       place = place.parent_path()) {
    const auto found = documents.read.find(place);
    if (found != documents.read.end()) return found->second.created;
  }
  return {};
}

std::string digits_of(const std::string& time) {
  std::string digits;
  std::ranges::copy_if(time, std::back_inserter(digits),
                       [](char c) { return c >= '0' && c <= '9'; });
  return digits;
}

keyvault::ExportedKeyName name_of(const ExportedKey& key,
                                  const ExportDocuments& documents,
                                  base::Timestamp now) {
  std::string exported = key.exported;
  if (exported.empty()) exported = digits_of(created(key.path, documents));
  if (exported.empty()) exported = digits_of(now.text());
  const bool is_root = key.name == kAttestationRootKey;
  const unsigned usual = is_root ? keyvault::kRootKeyBits : keyvault::kVmKeyBits;
  return {key.name, exported, is_root ? "RSA" : "AES",
          key.name + "_" + std::to_string(key.size == 0 ? usual : key.size) + ".json"};
}

std::string why_not(const ExportedKey& key,
                    const archive::RepositoryDocument& repository) {
  if (is_other_key(key)) {
    return "a wrapping key that was left in the key vault; remove it there "
           "(Remove-MocKey), it is in the way of a later import";
  }
  if (key.refused) {
    std::string words = base::one_line(*key.refused);
    for (const std::string& step : key.refused->next_steps()) words += "; " + step;
    return words;
  }
  if (!is_recipient(repository, key.wrapped_to)) {
    return "it is wrapped to " + key.wrapped_to.hex() +
           ", no recipient of the repository; export it again, wrapped to one that "
           "`sealift repo show` lists";
  }
  if (!base::Uuid::is_uuid(key.name) && key.name != kAttestationRootKey) {
    return "its name does not say which VM it is for; name it as it was exported: "
           "VM-id_256.json";
  }
  return {};
}

}  // namespace

base::Result<EscrowReport> escrow_keys(const fs::path& folder,
                                       const archive::RepositoryDocument& repository,
                                       keyvault::KeyVault& vault, base::Timestamp now) {
  EscrowReport report;
  ASSIGN_OR_RETURN(const std::vector<ExportedKey> keys, read_exported_keys({folder}));
  ASSIGN_OR_RETURN(const ExportDocuments documents,
                   documents_in(without_slash(folder)));
  report.has_inventory = !documents.read.empty();
  for (const UnreadDocument& document : documents.unread) {
    report.bad_inventories.push_back({document.file, base::one_line(document.error)});
  }
  if (keys.empty() && !report.has_inventory && report.bad_inventories.empty()) {
    return base::Error(base::ErrorCode::kNotFound, "no exported key lies in the folder")
        .at("folder", folder.string())
        .next("is it the right folder, and is the share mounted?");
  }
  for (const ExportedKey& key : keys) {
    EscrowedKey escrowed{
        key.path, key.name, EscrowState::kRefused, why_not(key, repository), {}};
    if (escrowed.reason.empty()) {
      ASSIGN_OR_RETURN(escrowed.kept,
                       vault.keep_exported_key(name_of(key, documents, now),
                                               base::as_bytes(key.text)));
      const bool is_known = escrowed.kept.order == keyvault::KeptKey::Order::kKnown;
      escrowed.state = is_known ? EscrowState::kKnown : EscrowState::kNew;
    }
    report.keys.push_back(std::move(escrowed));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> held, vault.exported_keys());
  std::set<std::pair<std::string, std::string>> without;
  for (const ExportDocument* document : documents.inventories()) {
    for (const InventoryVm& vm : document->inventory) {
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
