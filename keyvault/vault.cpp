#include "keyvault/vault.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "keyvault/privacy.h"
#include "keyvault/secret_file.h"
#include "keyvault/vault_files.h"

namespace sealift::keyvault {

namespace {

namespace fs = std::filesystem;

constexpr mode_t kParentMode = 0755;
constexpr std::size_t kPemLimit = std::size_t{64} * 1024;
constexpr std::size_t kNameLimit = 100;
constexpr std::string_view kPemSuffix = ".pem";

fs::path signing_key_file(const fs::path& folder) { return folder / "signing-key.pem"; }
fs::path trusted_folder(const fs::path& folder) { return folder / "trusted"; }
fs::path escrow_folder(const fs::path& folder) { return folder / "escrow"; }

// "vault/" names what a symlink of that name points to, and is its own parent.
fs::path without_final_slash(const fs::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

base::Error file_error(int error_number, std::string what, const fs::path& path) {
  return base::system_error(error_number, std::move(what)).at("file", path.string());
}

base::Error refused(std::string what) {
  return {base::ErrorCode::kRefused, std::move(what)};
}

// Everything under `path` belongs to this user and to nobody else.
base::Status check_private_tree(const fs::path& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    // Another process of this user may be replacing a file just now.
    if (errno == ENOENT) return base::Done{};
    return file_error(errno, "cannot examine a file", path);
  }
  RETURN_IF_ERROR(check_private(path, found));
  if (!S_ISDIR(found.st_mode)) return base::Done{};
  ASSIGN_OR_RETURN(const std::vector<fs::path> entries, entries_of(path));
  for (const fs::path& entry : entries) {
    RETURN_IF_ERROR(check_private_tree(entry));
  }
  return base::Done{};
}

base::Status check_name(const std::string& name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '_' || c == '-';
  };
  const bool is_good = !name.empty() && name.size() <= kNameLimit &&
                       name.front() != '.' && name.front() != '-' &&
                       std::ranges::all_of(name, is_allowed);
  if (is_good) return base::Done{};
  return refused("not a name that a file of the key vault can have")
      .at("name", name)
      .next(
          "use letters, digits, '.', '_' and '-', at most 100, not '.' or '-' "
          "first");
}

// The folder may be missing, or empty and private: a crash of init() leaves it so.
base::Status check_free(const fs::path& folder) {
  struct stat found {};
  if (::lstat(folder.c_str(), &found) != 0) {
    if (errno == ENOENT) return base::Done{};
    return file_error(errno, "cannot examine a file", folder);
  }
  if (S_ISDIR(found.st_mode)) {
    ASSIGN_OR_RETURN(const std::vector<fs::path> entries, entries_of(folder));
    if (entries.empty()) return check_private(folder, found);
  }
  return refused("something is there already, and a key vault is never replaced")
      .at("folder", folder.string());
}

}  // namespace

base::Result<KeyVault> KeyVault::init(const fs::path& folder,
                                      base::Filesystem& filesystem) {
  const fs::path place = without_final_slash(folder);
  RETURN_IF_ERROR(check_free(place));
  if (place.has_parent_path()) {
    RETURN_IF_ERROR(filesystem.create_directories(place.parent_path(), kParentMode));
  }
  RETURN_IF_ERROR(filesystem.create_directories(place, kVaultFolderMode));
  RETURN_IF_ERROR(check_private_tree(place));
  ASSIGN_OR_RETURN(SigningKey key, SigningKey::generate());
  ASSIGN_OR_RETURN(const Secret pem, key.to_pem());
  base::Status published =
      base::publish(filesystem, signing_key_file(place), pem.view(), kVaultFileMode);
  if (!published && published.error().code() == base::ErrorCode::kBusy) {
    return refused("another program made a key vault here just now")
        .at("folder", place.string());
  }
  if (!published) return published.error();
  return KeyVault(place, std::move(key), filesystem);
}

base::Result<KeyVault> KeyVault::open(const fs::path& folder,
                                      base::Filesystem& filesystem) {
  const fs::path place = without_final_slash(folder);
  struct stat found {};
  if (::lstat(place.c_str(), &found) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
    return base::Error(base::ErrorCode::kNotFound, "there is no key vault")
        .at("folder", place.string())
        .next("make one with `sealift keyvault init`, or name another with --keyvault");
  }
  if (::lstat(signing_key_file(place).c_str(), &found) != 0 &&
      (errno == ENOENT || errno == ENOTDIR)) {
    return base::Error(base::ErrorCode::kNotFound,
                       "this is no key vault: it holds no signing key")
        .at("folder", place.string())
        .next("make one with `sealift keyvault init`, or name another with --keyvault");
  }
  RETURN_IF_ERROR(check_private_tree(place));
  auto pem =
      read_secret_file(signing_key_file(place), kPemLimit, SecretFilePlace::kPrivate);
  if (!pem) {
    return std::move(pem).error().at("key vault", place.string());
  }
  auto key = SigningKey::parse_pem(pem.value());
  if (!key) {
    return base::Error(base::ErrorCode::kCorrupt, "this host's signing key is damaged")
        .at("file", signing_key_file(place).string())
        .because(key.error().what());
  }
  return KeyVault(place, std::move(key).value(), filesystem);
}

base::Status KeyVault::trust(const std::string& name, const SignerPublicKey& key) {
  RETURN_IF_ERROR(check_name(name));
  const fs::path trusted = trusted_folder(folder_);
  RETURN_IF_ERROR(filesystem_->create_directories(trusted, kVaultFolderMode));
  base::Status published =
      base::publish(*filesystem_, trusted / (name + std::string(kPemSuffix)),
                    base::as_bytes(key.pem()), kVaultFileMode);
  if (!published && published.error().code() == base::ErrorCode::kBusy) {
    return refused("a signer of this name is trusted already").at("name", name);
  }
  return published;
}

namespace {

base::Result<std::vector<fs::path>> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failure;
  if (!fs::exists(folder, failure)) return files;
  for (auto entry = fs::recursive_directory_iterator(folder, failure);
       !failure && entry != fs::recursive_directory_iterator();
       entry.increment(failure)) {
    if (entry->is_regular_file(failure)) files.push_back(entry->path());
  }
  if (failure) {
    return file_error(failure.value(), "cannot read a folder of the key vault", folder);
  }
  return files;
}

base::Result<bool> holds(const fs::path& file, base::ByteView bytes) {
  std::error_code failure;
  if (fs::file_size(file, failure) != bytes.size()) return false;
  ASSIGN_OR_RETURN(const base::Bytes content, base::read_file(file, bytes.size()));
  return std::ranges::equal(content, bytes);
}

// `kept` are files in the folders of their exports, in `place`.
KeptKey::Order order_of(const std::string& exported, const std::vector<fs::path>& kept,
                        const fs::path& place) {
  auto order = KeptKey::Order::kFirst;
  for (const fs::path& file : kept) {
    const std::string other = file.lexically_relative(place).begin()->string();
    if (other > exported) return KeptKey::Order::kOlder;
    if (other < exported) order = KeptKey::Order::kNewer;
  }
  return order;
}

}  // namespace

base::Result<KeptKey> KeyVault::keep_exported_key(const ExportedKeyName& name,
                                                  base::ByteView json) {
  for (const std::string* part : {&name.name, &name.exported, &name.kind, &name.file}) {
    RETURN_IF_ERROR(check_name(*part));
  }
  const fs::path place = escrow_folder(folder_) / name.name;
  ASSIGN_OR_RETURN(const std::vector<fs::path> kept, files_below(place));
  for (const fs::path& file : kept) {
    ASSIGN_OR_RETURN(const bool is_same, holds(file, json));
    if (is_same) return KeptKey{KeptKey::Order::kKnown, file};
  }
  const KeptKey::Order order = order_of(name.exported, kept, place);
  // Of one export there is a key for each recovery key, and all have one name.
  for (int number = 1;; ++number) {
    fs::path folder = place / name.exported;
    if (number > 1) folder /= std::to_string(number);
    folder /= name.kind;
    RETURN_IF_ERROR(filesystem_->create_directories(folder, kVaultFolderMode));
    base::Status published =
        base::publish(*filesystem_, folder / name.file, json, kVaultFileMode);
    if (published) return KeptKey{order, folder / name.file};
    if (published.error().code() != base::ErrorCode::kBusy) {
      return std::move(published).error();
    }
  }
}

base::Result<std::vector<std::string>> KeyVault::exported_keys() const {
  std::vector<std::string> names;
  ASSIGN_OR_RETURN(const std::vector<fs::path> entries,
                   entries_of(escrow_folder(folder_)));
  for (const fs::path& entry : entries) {
    // A run that was killed may leave empty folders.
    ASSIGN_OR_RETURN(const std::vector<fs::path> kept, files_below(entry));
    if (!kept.empty()) names.push_back(entry.filename().string());
  }
  return names;
}

base::Result<std::vector<TrustedSigner>> KeyVault::trusted_signers() const {
  std::vector<TrustedSigner> signers;
  ASSIGN_OR_RETURN(const std::vector<fs::path> entries,
                   entries_of(trusted_folder(folder_)));
  for (const fs::path& entry : entries) {
    if (entry.extension() != kPemSuffix) continue;
    ASSIGN_OR_RETURN(const base::Bytes pem, base::read_file(entry, kPemLimit));
    auto key = SignerPublicKey::parse_pem(pem);
    if (!key) {
      return base::Error(base::ErrorCode::kCorrupt, "a trusted signer's key is damaged")
          .at("file", entry.string())
          .because(key.error().what());
    }
    signers.push_back({entry.stem().string(), std::move(key).value()});
  }
  return signers;
}

}  // namespace sealift::keyvault
