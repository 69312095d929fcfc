// Keys, key vaults and repositories for the tests of this room and of the catalog.
#pragma once

#include <fstream>
#include <memory>

#include "archive/folder_store.h"
#include "archive/record_store.h"
#include "archive/repository.h"
#include "base/base64.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::support {

/// Recovery keys are slow to make: the same few serve every test of a program.
inline const keyvault::RecoveryKey& recovery_key(std::size_t number) {
  static std::map<std::size_t, keyvault::RecoveryKey> keys;
  const auto found = keys.find(number);
  if (found != keys.end()) return found->second;
  return keys.emplace(number, keyvault::RecoveryKey::generate(3072).value())
      .first->second;
}

inline base::Timestamp at(std::int64_t second) {
  return base::Timestamp(1'800'000'000 + second);
}

/// A host: a key vault in a folder of its own.
struct Host {
  ScratchFolder scratch;
  keyvault::KeyVault vault = keyvault::KeyVault::init(scratch.path() / "vault").value();

  const keyvault::SigningKey& key() const { return vault.signing_key(); }
  archive::SignerId id() const { return key().public_key().id(); }
};

/// A repository in a folder, founded by `founder`, readable with recovery_key(0) and,
/// with two recipients, (1).
struct RepositoryInFolder {
  explicit RepositoryInFolder(std::size_t recipients = 1) : made(make(recipients)) {}

  archive::Repository make(std::size_t count) {
    std::vector<keyvault::Recipient> recipients;
    for (std::size_t i = 0; i < count; ++i) {
      recipients.push_back(recovery_key(i).recipient());
    }
    return archive::Repository::init(store(), founder.vault, std::move(recipients),
                                     {.chunk_size = archive::kMinChunkSize})
        .value();
  }
  std::shared_ptr<archive::ObjectStore> store() const {
    return archive::open_folder(folder.path(), base::real_filesystem()).value();
  }
  base::Result<archive::Repository> open(
      const keyvault::KeyVault* vault = nullptr) const {
    return archive::Repository::open(store(),
                                     {.id = made.id(), .vault = vault, .confirm = {}});
  }

  ScratchFolder folder;
  Host founder;
  archive::Repository made;
};

/// The next record of `signer`, as the repository shows it.
inline archive::Record next_record(const archive::Repository& repository,
                                   const archive::SignerId& signer, std::string kind,
                                   base::Timestamp created) {
  archive::Record record;
  record.kind = std::move(kind);
  record.repository = repository.id();
  record.signer = signer;
  record.sequence = 1;
  record.created = created;
  for (const archive::Record& before : repository.records()) {
    if (before.signer != signer) continue;
    record.sequence = before.sequence + 1;
    record.previous = digest_of(before);
  }
  return record;
}

inline archive::Record enrolled(archive::Record record,
                                const keyvault::SignerPublicKey& key,
                                std::string_view role) {
  record.fields.emplace_back("key", base::to_base64(key.spki()));
  record.fields.emplace_back("role", role);
  return record;
}

inline archive::Record revoked(archive::Record record, const archive::SignerId& subject,
                               base::Timestamp since) {
  record.fields.emplace_back("subject", subject.hex());
  record.fields.emplace_back("since", since.text());
  return record;
}

inline auto signed_by(const keyvault::SigningKey& key) {
  return [&key](base::ByteView text) -> base::Result<base::Bytes> {
    ASSIGN_OR_RETURN(const keyvault::Signature signature, key.sign(text));
    return base::Bytes(signature.begin(), signature.end());
  };
}

inline auto signed_by(const keyvault::RecoveryKey& key) {
  return [&key](base::ByteView text) { return key.sign(text); };
}

/// Writes `bytes` where a repository's object lies, over what is there: damage.
inline void overwrite(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

inline std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The rule that an error names as its innermost place; empty for none.
inline std::string rule_of(const base::Error& error) {
  return error.places().empty() || error.places().front().kind != "rule"
             ? ""
             : error.places().front().name;
}

}  // namespace sealift::support
