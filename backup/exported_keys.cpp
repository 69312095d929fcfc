#include "backup/exported_keys.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "base/byte_count.h"
#include "base/uuid.h"
#include "keyvault/secret_file.h"
#include "vm/hyperv_files.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeyLimit = 256 * base::kKiB;
constexpr unsigned kVmKeyBits = 256;
// RFC 5649 makes 40 bytes of an AES-256 key.
constexpr std::size_t kWrappedVmKey = 40;
constexpr std::size_t kFolderDigits = 14;

// "20250722192116": TvmBackupUtils names a folder for each export.
std::string export_of(const fs::path& file) {
  for (const fs::path& part : file) {
    std::string name = part.string();
    if (name.size() == kFolderDigits &&
        name.find_first_not_of("0123456789") == std::string::npos) {
      return name;
    }
  }
  return {};
}

// "NAME_256" is a key of 256 bits; a name may have a '_' of its own.
void read_name(const std::string& stem, ExportedKey& key) {
  key.name = stem;
  if (const std::size_t split = stem.rfind('_'); split != std::string::npos) {
    const char* const end = stem.data() + stem.size();
    unsigned size = 0;
    const auto [stopped, failure] = std::from_chars(stem.data() + split + 1, end, size);
    if (failure == std::errc() && stopped == end) {
      key.size = size;
      key.name = stem.substr(0, split);
    }
  }
  if (const auto id = base::Uuid::parse(key.name)) key.name = id->text();
}

base::Status read_content(ExportedKey& key) {
  // It may be a key in plain text, which is refused and must leave no copy.
  ASSIGN_OR_RETURN(const keyvault::Secret text,
                   keyvault::read_secret_file(key.path, kKeyLimit,
                                              keyvault::SecretFilePlace::kAnywhere));
  ASSIGN_OR_RETURN(key.json, keyvault::parse_key_json(text.view()));
  auto wrapping_key = keyvault::Recipient::parse_pkcs1(key.json.wrapping_key_pkcs1);
  if (!wrapping_key) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "the key does not say what it is wrapped to")
        .because(wrapping_key.error().what());
  }
  key.wrapped_to = wrapping_key->id();
  const bool is_rsa = key.size > kVmKeyBits;
  const std::size_t expected = wrapping_key->modulus_size() + kWrappedVmKey;
  if (!is_rsa && key.json.wrapped.size() != expected) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "it is no wrapped key of 256 bits: it has " +
                           std::to_string(key.json.wrapped.size()) + " bytes, not " +
                           std::to_string(expected));
  }
  key.text = base::as_text(text.view());
  return base::Done{};
}

ExportedKey read_key(const fs::path& path, bool is_named) {
  ExportedKey key;
  key.path = path;
  key.is_named = is_named;
  key.exported = export_of(path);
  read_name(path.stem().string(), key);
  if (auto status = read_content(key); !status) {
    key.refused = std::move(status).error();
  }
  return key;
}

const std::vector<keyvault::Recipient>* list_with(
    const archive::RepositoryDocument& repository, const archive::RecipientId& id,
    std::size_t& place) {
  for (const auto* list : {&repository.recipients, &repository.key_recipients}) {
    const auto found = std::ranges::find(*list, id, &keyvault::Recipient::id);
    if (found == list->end()) continue;
    place = static_cast<std::size_t>(found - list->begin());
    return list;
  }
  return nullptr;
}

// The newest for each recipient, in the order in which the repository names them.
using Newest = std::map<std::pair<bool, std::size_t>, const ExportedKey*>;

base::Error stranger(const ExportedKey& key) {
  return base::Error(base::ErrorCode::kRefused,
                     "the protection key is wrapped to a key that is no recipient of "
                     "the repository")
      .at("wrapped to", key.wrapped_to.hex())
      .at("file", key.path.string())
      .next(
          "export the key with the public half of a recovery key of this repository; "
          "`sealift repo show` lists them")
      .next("`sealift keyvault inspect FILE` says what the file is wrapped to");
}

base::Status add(const ExportedKey& key, const archive::RepositoryDocument& repository,
                 Newest& newest) {
  if (key.refused) {
    base::Error error = *key.refused;
    return base::Error(base::ErrorCode::kRefused, error.what())
        .because(error.cause())
        .at("file", key.path.string());
  }
  std::size_t place = 0;
  const auto* const list = list_with(repository, key.wrapped_to, place);
  if (list == nullptr) return stranger(key);
  const ExportedKey*& known = newest[{list == &repository.key_recipients, place}];
  if (known == nullptr || known->exported <= key.exported) known = &key;
  return base::Done{};
}

std::string member_name(std::size_t number) {
  return number == 0 ? "protection-key.json"
                     : "protection-key." + std::to_string(number + 1) + ".json";
}

void take(const Newest& newest, const char* usage, ChosenKeys& chosen) {
  for (const auto& [place, key] : newest) {
    chosen.files.push_back({{member_name(chosen.files.size()), key->wrapped_to,
                             key->name, usage, key->json.encoding},
                            key->text});
  }
}

}  // namespace

base::Result<std::vector<ExportedKey>> read_exported_keys(
    const std::vector<fs::path>& given) {
  std::vector<ExportedKey> keys;
  for (const fs::path& path : given) {
    std::error_code failure;
    if (!fs::exists(path, failure)) {
      return base::Error(base::ErrorCode::kNotFound, "the protection key is not there")
          .at("file", path.string())
          .next(
              "export it with scripts/azure-local/Export-SealiftVM.ps1, or with "
              "Export-MocKey");
    }
    if (!fs::is_directory(path, failure)) {
      keys.push_back(read_key(path, true));
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<fs::path> files, vm::list_key_files(path));
    for (const fs::path& file : files) keys.push_back(read_key(file, false));
  }
  return keys;
}

bool is_key_of(const ExportedKey& key, const std::string& vm_id) {
  return key.name == vm_id && key.size <= kVmKeyBits;
}

bool is_recipient(const archive::RepositoryDocument& repository,
                  const archive::RecipientId& id) {
  std::size_t place = 0;
  return list_with(repository, id, place) != nullptr;
}

bool is_other_key(const ExportedKey& key) {
  return key.size > kVmKeyBits && key.name != kAttestationRootKey;
}

std::vector<std::string> names_of_other_keys(const std::vector<ExportedKey>& keys) {
  std::set<std::string> names;
  for (const ExportedKey& key : keys) {
    if (is_other_key(key)) names.insert(key.name);
  }
  return {names.begin(), names.end()};
}

base::Result<ChosenKeys> choose_keys(const std::vector<ExportedKey>& keys,
                                     const std::string& vm_id,
                                     const archive::RepositoryDocument& repository) {
  Newest of_vm;
  Newest of_root;
  for (const ExportedKey& key : keys) {
    if (is_key_of(key, vm_id)) {
      RETURN_IF_ERROR(add(key, repository, of_vm));
    } else if (key.name == kAttestationRootKey) {
      RETURN_IF_ERROR(add(key, repository, of_root));
    }
  }
  ChosenKeys chosen;
  chosen.has_vm_key = !of_vm.empty();
  take(of_vm, "guest-state", chosen);
  take(of_root, "attestation-root", chosen);
  for (const std::string& name : names_of_other_keys(keys)) {
    chosen.warnings.push_back("the key vault holds another RSA key, " + name +
                              ": a wrapping key that was left there is in the way of "
                              "a later import; remove it (Remove-MocKey)");
  }
  return chosen;
}

}  // namespace sealift::backup
