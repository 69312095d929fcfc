// This host's keys at rest.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/digest_id.h"
#include "base/file_descriptor.h"
#include "base/filesystem.h"
#include "base/result.h"
#include "keyvault/digest.h"
#include "keyvault/recovery_key.h"
#include "keyvault/signer.h"

namespace sealift::keyvault {

/// SHA-256 of the signed `repository.json`: what a person compares on the worst day.
using RepositoryId = base::DigestId<struct RepositoryMeaning>;

/// A signer whose archives are believed because the operator said so (`keyvault
/// trust`).
struct TrustedSigner {
  std::string name;
  SignerPublicKey key;
};

/// The end of this host's chain of records in one repository.
struct ChainHead {
  std::uint64_t sequence = 0;  ///< 0: no record yet.
  Sha256Digest digest;         ///< Of the newest record's text; zero for none.
};

/// A key that a cluster exported, as the folders of TvmBackupUtils name it.
struct ExportedKeyName {
  std::string name;      ///< "7fb16fe7-…": a VM's id, or another key's name.
  std::string exported;  ///< When, UTC: "20261127201507".
  std::string kind;      ///< "AES" or "RSA".
  std::string file;      ///< "7fb16fe7-…_256.json".
};

struct KeptKey {
  /// Beside the keys of its name that other exports had.
  enum class Order { kFirst, kNewer, kOlder, kKnown };
  Order order = Order::kFirst;  ///< kKnown: just this file was kept before.
  std::filesystem::path file;
};

/// Holds the lock that lets one process at a time extend this host's chain in one
/// repository; released when it dies.
using ChainLock = base::FileDescriptor;

/// A folder (0700) of files (0600). Never holds a plaintext protection key.
///   signing-key.pem                    Ed25519, PKCS#8
///   trusted/NAME.pem                   signers from elsewhere
///   escrow/NAME/TIME/AES/NAME_256.json wrapped keys of clusters (`keyvault escrow`);
///                                      of one export a second one lies in TIME/2/AES
///   repositories/ID/repository.json    the pinned document, byte for byte
///   repositories/ID/repository-key     32 bytes
///   repositories/ID/head               "SEQUENCE DIGEST\n": remembers what storage may
///                                      lose
///   repositories/ID/chain-lock         empty; locked while the chain grows
/// Threads: const members from several; processes: safe, files are whole or absent.
class KeyVault {
 public:
  /// A new vault with a new signing key. An empty private folder is no obstacle: that
  /// is what an init() leaves that was killed.
  /// filesystem  Writes every file; outlives the vault.
  /// errors  kRefused: a vault, or anything else, is there already; nothing was
  ///         touched.  kIo.
  static base::Result<KeyVault> init(
      const std::filesystem::path& folder,
      base::Filesystem& filesystem = base::real_filesystem());

  /// errors  kNotFound: no vault there.  kRefused: others than its owner can read or
  ///         write the folder or a file in it; the error names it and the chmod.
  ///         kCorrupt: the signing key is damaged.
  static base::Result<KeyVault> open(
      const std::filesystem::path& folder,
      base::Filesystem& filesystem = base::real_filesystem());

  const std::filesystem::path& folder() const noexcept { return folder_; }
  const SigningKey& signing_key() const noexcept { return signing_key_; }

  /// errors  kRefused: the name is taken, not made of [A-Za-z0-9._-], longer than 100,
  ///         or begins with '.' or '-'.
  base::Status trust(const std::string& name, const SignerPublicKey& key);
  base::Result<std::vector<TrustedSigner>> trusted_signers() const;

  /// Keeps an exported key for ever, beside the earlier ones of its name. One that is
  /// kept already, of whatever time, is not kept again.
  /// errors  kRefused: a part of the name is not as in trust().  kIo.
  base::Result<KeptKey> keep_exported_key(const ExportedKeyName& name,
                                          base::ByteView json);

  /// The names of the keys that are kept, sorted.
  base::Result<std::vector<std::string>> exported_keys() const;

  /// Remembers `document` (the bytes of repository.json, whose SHA-256 is `id`) for
  /// ever. Pinning the same again is no error.
  /// errors  kCorrupt: `document` is not what `id` names; nothing was written.  kIo.
  base::Status pin(const RepositoryId& id, base::ByteView document);
  base::Result<std::vector<RepositoryId>> pinned() const;
  bool is_pinned(const RepositoryId& id) const;
  /// errors  kNotFound: not pinned.  kCorrupt: not what `id` names any more.
  base::Result<base::Bytes> pinned_document(const RepositoryId& id) const;

  /// `key` is 32 bytes. Storing the same again is no error.
  /// errors  kRefused: another key is stored already and stays.
  base::Status store_repository_key(const RepositoryId& id, const Secret& key);
  /// errors  kNotFound: this host has not joined that repository.
  base::Result<Secret> repository_key(const RepositoryId& id) const;

  /// Waits up to `limit` for other processes. A child that was forked meanwhile and
  /// keeps the descriptor open holds the lock too.
  /// errors  kBusy: still held then.
  base::Result<ChainLock> lock_chain(const RepositoryId& id,
                                     std::chrono::seconds limit) const;
  /// The default ChainHead when set_head() was never called.
  /// errors  kCorrupt: the file is damaged.
  base::Result<ChainHead> head(const RepositoryId& id) const;
  /// Called under the chain lock, after the record is durable in the repository.
  /// errors  kRefused: `head` is behind the one held, or beside it (the same sequence
  ///         with another digest): a chain never goes back.
  base::Status set_head(const RepositoryId& id, const ChainHead& head);

 private:
  KeyVault(std::filesystem::path folder, SigningKey key, base::Filesystem& filesystem)
      : folder_(std::move(folder)),
        signing_key_(std::move(key)),
        filesystem_(&filesystem) {}
  std::filesystem::path folder_;
  SigningKey signing_key_;
  base::Filesystem* filesystem_;
};

}  // namespace sealift::keyvault
