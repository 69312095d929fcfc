#include "backup/exported_keys.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "archive/manifest_text.h"
#include "base/byte_count.h"
#include "base/uuid.h"
#include "keyvault/secret_file.h"
#include "vm/hyperv_files.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeyLimit = 256 * base::kKiB;
constexpr std::size_t kFolderDigits = 14;

// "20250722192116": TvmBackupUtils names a folder for each export.
// The nearest counts: a share may have such a name too.
std::string export_of(const fs::path& file) {
  std::string nearest;
  for (const fs::path& part : file.parent_path()) {
    const std::string name = part.string();
    if (name.size() == kFolderDigits &&
        name.find_first_not_of("0123456789") == std::string::npos) {
      nearest = name;
    }
  }
  return nearest;
}

void read_name(const std::string& stem, ExportedKey& key) {
  const keyvault::KeyFileName said = keyvault::read_key_file_name(stem);
  key.size = said.bits;
  const auto id = base::Uuid::parse(said.name);
  key.name = id ? id->text() : said.name;
}

// A VM's, unless its name says more.
keyvault::ExpectedKey expected(const ExportedKey& key) {
  if (key.name == kAttestationRootKey && key.size == 0) {
    return {keyvault::KeyKind::kRsa, keyvault::kRootKeyBits};
  }
  if (key.size > keyvault::kVmKeyBits || key.name == kAttestationRootKey) {
    return {keyvault::KeyKind::kRsa, key.size};
  }
  return {keyvault::KeyKind::kAes256, 0};
}

base::Status read_content(ExportedKey& key) {
  // It may be a key in plain text, which is refused and must leave no copy.
  ASSIGN_OR_RETURN(const keyvault::Secret text,
                   keyvault::read_secret_file(key.path, kKeyLimit,
                                              keyvault::SecretFilePlace::kRegular));
  if (base::as_text(text.view()).find("-----BEGIN ") != std::string_view::npos) {
    return base::Error(base::ErrorCode::kRefused,
                       "it is a PEM file, not a wrapped key; a private key is never "
                       "given here")
        .next("name the .json file that Export-MocKey wrote, or the folder it lies in");
  }
  auto parsed = keyvault::parse_key_json(text.view());
  if (!parsed && parsed.error().code() == base::ErrorCode::kCorrupt) {
    return std::move(parsed).error().next(
        "the file is cut off, or no key: copy it again, or export the key again");
  }
  ASSIGN_OR_RETURN(key.json, std::move(parsed));
  ASSIGN_OR_RETURN(const keyvault::Recipient wrapping_key,
                   keyvault::wrapping_key_of(key.json));
  key.wrapped_to = wrapping_key.id();
  RETURN_IF_ERROR(keyvault::check_wrapped_key(key.json, wrapping_key, expected(key)));
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

// Why a key is of no use, if so.
std::optional<base::Error> fault_of(const ExportedKey& key,
                                    const archive::RepositoryDocument& repository) {
  if (!key.refused) {
    if (is_recipient(repository, key.wrapped_to)) return std::nullopt;
    return stranger(key);
  }
  const base::Error& error = *key.refused;
  base::Error fault(base::ErrorCode::kRefused, error.what());
  fault.at("file", key.path.string());
  for (const std::string& step : error.next_steps()) fault.next(step);
  return std::move(fault).because(error.cause());
}

// What the operator named, then what lies in the export, then what folders hold.
int rank_of(const ExportedKey& key) {
  if (key.is_named) return 2;
  return key.is_in_export ? 1 : 0;
}

bool is_newer(const ExportedKey& one, const ExportedKey& other) {
  if (rank_of(one) != rank_of(other)) return rank_of(one) > rank_of(other);
  return !other.exported.empty() && one.exported > other.exported;
}

// A key that was named and the export's own, which is newer by nature: one is wrong.
bool contradict(const ExportedKey& one, const ExportedKey& other) {
  return one.text != other.text &&
         (one.is_named ? other.is_in_export : one.is_in_export && other.is_named);
}

// Whether `one` may be taken although `other` is there.
bool outdoes(const ExportedKey& one, const ExportedKey& other) {
  return one.text == other.text || (is_newer(one, other) && !contradict(one, other));
}

base::Error cannot_tell(const ExportedKey& one, const ExportedKey& other) {
  const bool is_contradiction = contradict(one, other);
  base::Error error(base::ErrorCode::kRefused,
                    is_contradiction
                        ? "the protection key that is named is another than the one in "
                          "the export"
                        : "there are two keys of the VM, and nothing says which is "
                          "newer");
  error.at("file", other.path.string()).at("file", one.path.string());
  if (is_contradiction) {
    return std::move(error).next(
        "leave --protection-key out, and the export's own is taken; or export the VM "
        "again");
  }
  return std::move(error).next(
      "name the right one with --protection-key FILE, or keep it alone");
}

using Place = std::pair<bool, std::size_t>;  // For keys alone; place in the list.
using Candidates = std::vector<const ExportedKey*>;

/// Of keys for one recipient the one that outdoes all others.
/// errors  kRefused: there is none.
base::Result<const ExportedKey*> best_of(const Candidates& keys) {
  const auto outdoes_all = [&](const ExportedKey* key) {
    return std::ranges::all_of(
        keys, [&](const ExportedKey* other) { return outdoes(*key, *other); });
  };
  const auto best = std::ranges::find_if(keys, outdoes_all);
  if (best != keys.end()) return *best;
  const ExportedKey* newest = keys.front();
  for (const ExportedKey* key : keys) {
    if (is_newer(*key, *newest)) newest = key;
  }
  const auto rival = std::ranges::find_if(
      keys, [&](const ExportedKey* key) { return !outdoes(*newest, *key); });
  return cannot_tell(*newest, **rival);
}

/// The best for each recipient, in the order in which the repository names them.
class BestKeys {
 public:
  explicit BestKeys(const archive::RepositoryDocument& repository)
      : repository_(repository) {}

  /// `keys` of one name.
  base::Status choose(const Candidates& keys) {
    std::map<Place, Candidates> usable;
    Candidates good;
    for (const ExportedKey* key : keys) {
      if (fault_of(*key, repository_)) continue;
      good.push_back(key);
      std::size_t place = 0;
      const bool is_for_keys_alone =
          list_with(repository_, key->wrapped_to, place) == &repository_.key_recipients;
      usable[Place{is_for_keys_alone, place}].push_back(key);
    }
    for (const ExportedKey* key : keys) {
      auto fault = fault_of(*key, repository_);
      if (fault && !is_made_good(*key, good)) return std::move(*fault);
    }
    for (const auto& [place, candidates] : usable) {
      ASSIGN_OR_RETURN(best_[place], best_of(candidates));
    }
    return base::Done{};
  }

  void take(const char* usage, ChosenKeys& chosen) const;
  bool has_assumed() const {
    return std::ranges::any_of(
        best_, [](const auto& best) { return best.second->is_assumed; });
  }

 private:
  // A key of no use does no harm beside a good one of the same export, or a newer one.
  // One that the operator named is meant.
  static bool is_made_good(const ExportedKey& bad, const Candidates& good) {
    return !bad.is_named && std::ranges::any_of(good, [&](const ExportedKey* key) {
      const bool is_of_same_export =
          rank_of(*key) == rank_of(bad) && key->exported == bad.exported;
      return is_of_same_export || is_newer(*key, bad);
    });
  }

  const archive::RepositoryDocument& repository_;
  std::map<Place, const ExportedKey*> best_;
};

void BestKeys::take(const char* usage, ChosenKeys& chosen) const {
  for (const auto& [place, key] : best_) {
    chosen.files.push_back({{archive::protection_key_member(chosen.files.size()),
                             key->wrapped_to, key->name, usage, key->json.encoding},
                            key->text});
  }
}

std::vector<const ExportedKey*> keys_of(
    const std::vector<ExportedKey>& keys,
    const std::function<bool(const ExportedKey&)>& is_wanted) {
  std::vector<const ExportedKey*> wanted;
  for (const ExportedKey& key : keys) {
    if (is_wanted(key)) wanted.push_back(&key);
  }
  return wanted;
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
    for (const fs::path& file : files) {
      if (vm::is_exported_key(file)) keys.push_back(read_key(file, false));
    }
  }
  return keys;
}

std::vector<ExportedKey> read_keys_in_export(const std::vector<fs::path>& files) {
  std::vector<ExportedKey> keys;
  for (const fs::path& file : files) {
    keys.push_back(read_key(file, false));
    keys.back().is_in_export = true;
  }
  return keys;
}

bool is_key_of(const ExportedKey& key, const std::string& vm_id) {
  return key.name == vm_id && key.size <= keyvault::kVmKeyBits;
}

bool is_recipient(const archive::RepositoryDocument& repository,
                  const archive::RecipientId& id) {
  std::size_t place = 0;
  return list_with(repository, id, place) != nullptr;
}

bool is_other_key(const ExportedKey& key) {
  return key.size > keyvault::kVmKeyBits && key.name != kAttestationRootKey;
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
  BestKeys of_vm(repository);
  const auto own =
      keys_of(keys, [&](const ExportedKey& key) { return is_key_of(key, vm_id); });
  RETURN_IF_ERROR(of_vm.choose(own));
  BestKeys of_root(repository);
  const auto root = of_root.choose(keys_of(
      keys, [](const ExportedKey& key) { return key.name == kAttestationRootKey; }));
  ChosenKeys chosen;
  chosen.has_vm_key = !own.empty();
  chosen.is_assumed = of_vm.has_assumed();
  of_vm.take("guest-state", chosen);
  of_root.take("attestation-root", chosen);
  if (!root) {
    chosen.warnings.push_back(
        std::string(kAttestationRootKey) +
        " is of no use as it was exported: " + root.error().what());
  }
  for (const std::string& name : names_of_other_keys(keys)) {
    chosen.warnings.push_back("the key vault holds another RSA key, " + name +
                              ": a wrapping key that was left there is in the way of "
                              "a later import; remove it (Remove-MocKey)");
  }
  return chosen;
}

}  // namespace sealift::backup
