#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <thread>

#include "keyvault/secret_file.h"
#include "keyvault/vault.h"
#include "keyvault/vault_files.h"

// What the key vault keeps for each repository.
namespace sealift::keyvault {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kDocumentLimit = std::uint64_t{1024} * 1024;
constexpr std::uint64_t kHeadLimit = 128;
constexpr std::size_t kRepositoryKeySize = 32;
constexpr std::chrono::milliseconds kLockPause(20);

fs::path repositories_folder(const fs::path& folder) { return folder / "repositories"; }
fs::path repository_folder(const fs::path& folder, const RepositoryId& id) {
  return repositories_folder(folder) / id.hex();
}
fs::path document_file(const fs::path& folder, const RepositoryId& id) {
  return repository_folder(folder, id) / "repository.json";
}
fs::path key_file(const fs::path& folder, const RepositoryId& id) {
  return repository_folder(folder, id) / "repository-key";
}
fs::path head_file(const fs::path& folder, const RepositoryId& id) {
  return repository_folder(folder, id) / "head";
}

base::Error damaged(std::string what, const fs::path& path) {
  return base::Error(base::ErrorCode::kCorrupt, std::move(what))
      .at("file", path.string());
}

bool is_document_of(const RepositoryId& id, base::ByteView document) {
  return sha256(document).bytes() == id.bytes();
}

std::string head_text(const ChainHead& head) {
  return std::to_string(head.sequence) + " " + head.digest.hex() + "\n";
}

base::Result<ChainHead> parse_head(std::string_view text, const fs::path& path) {
  ChainHead head;
  const auto [end, reason] =
      std::from_chars(text.data(), text.data() + text.size(), head.sequence);
  const auto size = static_cast<std::size_t>(end - text.data());
  if (reason == std::errc() && text.size() > size + 1) {
    auto digest = Sha256Digest::parse(
        text.substr(size + 1, std::min<std::size_t>(64, text.size() - size - 2)));
    if (digest) head.digest = digest.value();
  }
  // One value, one text: whatever else could be read as a head is none.
  if (head_text(head) != text) {
    return damaged("the head of this host's record chain is damaged", path)
        .next("compare the records in the repository before anything is written there");
  }
  return head;
}

}  // namespace

base::Status KeyVault::pin(const RepositoryId& id, base::ByteView document) {
  if (!is_document_of(id, document)) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "repository.json is not what the repository id names")
        .at("repository", id.hex());
  }
  RETURN_IF_ERROR(filesystem_->create_directories(repository_folder(folder_, id),
                                                  kVaultFolderMode));
  base::Status published =
      base::publish(*filesystem_, document_file(folder_, id), document, kVaultFileMode);
  if (!published && published.error().code() == base::ErrorCode::kBusy) {
    ASSIGN_OR_RETURN(const base::Bytes held, pinned_document(id));
    return base::Done{};
  }
  return published;
}

base::Result<base::Bytes> KeyVault::pinned_document(const RepositoryId& id) const {
  const fs::path path = document_file(folder_, id);
  auto document = base::read_file(path, kDocumentLimit);
  if (!document && document.error().code() == base::ErrorCode::kNotFound) {
    return base::Error(base::ErrorCode::kNotFound,
                       "the key vault does not know this repository")
        .at("repository", id.hex())
        .at("key vault", folder_.string());
  }
  if (document && !is_document_of(id, document.value())) {
    return damaged("the pinned repository.json is damaged", path);
  }
  return document;
}

base::Result<std::vector<RepositoryId>> KeyVault::pinned() const {
  std::vector<RepositoryId> ids;
  ASSIGN_OR_RETURN(const std::vector<fs::path> entries,
                   entries_of(repositories_folder(folder_)));
  for (const fs::path& entry : entries) {
    const auto id = RepositoryId::parse(entry.filename().string());
    if (id && is_pinned(id.value())) ids.push_back(id.value());
  }
  return ids;
}

bool KeyVault::is_pinned(const RepositoryId& id) const {
  std::error_code ignored;
  return fs::exists(document_file(folder_, id), ignored);
}

base::Status KeyVault::store_repository_key(const RepositoryId& id, const Secret& key) {
  assert(key.size() == kRepositoryKeySize);
  RETURN_IF_ERROR(filesystem_->create_directories(repository_folder(folder_, id),
                                                  kVaultFolderMode));
  base::Status published =
      base::publish(*filesystem_, key_file(folder_, id), key.view(), kVaultFileMode);
  if (!published && published.error().code() == base::ErrorCode::kBusy) {
    ASSIGN_OR_RETURN(const Secret held, repository_key(id));
    if (is_same(held.view(), key.view())) return base::Done{};
    return base::Error(base::ErrorCode::kRefused,
                       "the key vault holds another key for this repository")
        .at("repository", id.hex())
        .at("key vault", folder_.string());
  }
  return published;
}

base::Result<Secret> KeyVault::repository_key(const RepositoryId& id) const {
  const fs::path path = key_file(folder_, id);
  auto key = read_secret_file(path, kRepositoryKeySize, SecretFilePlace::kPrivate);
  if (!key && key.error().code() == base::ErrorCode::kNotFound) {
    return base::Error(base::ErrorCode::kNotFound,
                       "this host has not joined the repository")
        .at("repository", id.hex())
        .at("key vault", folder_.string())
        .next("enrol it: `sealift repo join --identity KEY.pem`");
  }
  if (key && key->size() != kRepositoryKeySize) {
    return damaged("the stored repository key is damaged", path);
  }
  return key;
}

base::Result<ChainLock> KeyVault::lock_chain(const RepositoryId& id,
                                             std::chrono::seconds limit) const {
  const fs::path folder = repository_folder(folder_, id);
  RETURN_IF_ERROR(filesystem_->create_directories(folder, kVaultFolderMode));
  const fs::path path = folder / "chain-lock";
  ChainLock lock(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kVaultFileMode));
  if (!lock) {
    return base::system_error(errno, "cannot open a lock file")
        .at("file", path.string());
  }
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return base::system_error(errno, "cannot lock a file").at("file", path.string());
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return base::Error(base::ErrorCode::kBusy,
                         "another run on this host is writing to the repository")
          .at("repository", id.hex())
          .next("wait for it to end, then try again");
    }
    std::this_thread::sleep_for(kLockPause);
  }
  return lock;
}

base::Result<ChainHead> KeyVault::head(const RepositoryId& id) const {
  const fs::path path = head_file(folder_, id);
  const auto text = base::read_file(path, kHeadLimit);
  if (!text && text.error().code() == base::ErrorCode::kNotFound) return ChainHead{};
  if (!text) return text.error();
  return parse_head(base::as_text(text.value()), path);
}

base::Status KeyVault::set_head(const RepositoryId& id, const ChainHead& head) {
  ASSIGN_OR_RETURN(const ChainHead held, this->head(id));
  const bool is_beside = head.sequence == held.sequence && head.digest != held.digest;
  if (head.sequence < held.sequence || is_beside) {
    return base::Error(base::ErrorCode::kRefused,
                       "this host's record chain would go back")
        .at("repository", id.hex())
        .at("sequence", std::to_string(head.sequence));
  }
  RETURN_IF_ERROR(filesystem_->create_directories(repository_folder(folder_, id),
                                                  kVaultFolderMode));
  return filesystem_->replace(head_file(folder_, id), base::as_bytes(head_text(head)),
                              kVaultFileMode);
}

}  // namespace sealift::keyvault
