// A repository, opened: the right one, its records checked, its signers known.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "archive/object_store.h"
#include "archive/record.h"
#include "archive/repository_document.h"
#include "archive/trust.h"
#include "archive/volume_source.h"
#include "base/timestamp.h"
#include "keyvault/vault.h"

namespace sealift::archive {

/// How open() knows that a repository is the one meant. The id wins over a pin; with
/// neither, `confirm` shows the id to a person; without `confirm` it is refused.
struct Expectation {
  std::optional<RepositoryId> id;
  const keyvault::KeyVault* vault = nullptr;
  std::function<bool(const RepositoryDocument&)> confirm;
};

/// Objects of a repository (docs/format/repository.md):
///   repository.json  repository.json.sig
///   archives/AA/ARCHIVE/ARCHIVE-NNNN.tar      AA: the id's first two digits
///   records/SIGNER/NNNNNNNN  records/SIGNER/NNNNNNNN.sig   (.sig is written first;
///                                             .2.sig … where a killed writer left one)
///   envelopes/RECIPIENT/RUN.json
///   format/*                                  the format pages, written by init
/// Threads: const members from several.
class Repository {
 public:
  /// Makes a repository in new or empty storage and pins it in `vault`, whose signing
  /// key becomes the founder.
  /// errors  kRefused: the storage holds something already; nothing was touched.
  ///         As make_repository_document().
  static base::Result<Repository> init(std::shared_ptr<ObjectStore> store,
                                       keyvault::KeyVault& vault,
                                       std::vector<keyvault::Recipient> recipients,
                                       const RepositorySettings& settings);

  /// errors  kNotFound: no repository there ("is it mounted?").  kCorrupt: another
  ///         repository than expected, or nothing to compare it with (the error shows
  ///         the id found), damaged records, a gap or fork in a signer's chain.
  static base::Result<Repository> open(std::shared_ptr<ObjectStore> store,
                                       const Expectation& expectation);

  /// Enrols this host with the recovery key at hand: unwraps the repository key into
  /// `vault`, pins the repository, and appends an `enrolled` record for this host's
  /// signer, signed by the recovery key. Joining again is no error and adds nothing.
  base::Status join(keyvault::KeyVault& vault, const keyvault::RecoveryKey& identity,
                    base::Timestamp now);

  ObjectStore& store() const noexcept { return *store_; }
  const RepositoryDocument& document() const noexcept { return document_; }
  const RepositoryId& id() const noexcept { return document_.id; }
  const Trust& trust() const noexcept { return trust_; }
  VolumeSource source() const {
    return {*store_, document_.id, trust_, document_.settings.chunk_size};
  }
  /// Every record but the snapshots of every known signer, checked; by signer, then
  /// sequence. Those of a revoked signer are among them: ask trust() for each.
  const std::vector<Record>& records() const noexcept { return records_; }
  /// Records of signers that nobody here vouches for: they count for nothing. Verify,
  /// restore and prune stop at them; a backup reports them and goes on.
  const std::vector<base::Error>& unbelieved() const noexcept { return unbelieved_; }

  /// Reads the records anew. errors  as open().
  base::Status refresh();

  /// errors  kNotFound: this host has not joined.
  base::Result<RepositoryKeys> keys(const keyvault::KeyVault& vault) const;
  /// errors  kWrongKey.
  base::Result<RepositoryKeys> keys(const keyvault::RecoveryKey& identity) const;

 private:
  Repository(std::shared_ptr<ObjectStore> store, RepositoryDocument document)
      : store_(std::move(store)), document_(std::move(document)) {}
  std::shared_ptr<ObjectStore> store_;
  RepositoryDocument document_;
  std::vector<keyvault::TrustedSigner> extra_;  ///< Of the key vault that open() saw.
  Trust trust_;
  std::vector<Record> records_;
  std::vector<base::Error> unbelieved_;
};

/// Where this host's next record goes.
struct ChainPosition {
  std::uint64_t sequence = 1;
  Sha256Digest previous;
};

/// Calls `write` under the vault's chain lock with the next position. `write` makes one
/// record durable in the repository and returns the digest of its text; the vault then
/// remembers the new head.
/// known   The newest head of this signer that the repository's objects show (from a
///         refreshed catalog); the vault's own wins when it is newer.
/// errors  kBusy, kIo, or what `write` returns; the head did not move.
base::Status extend_chain(
    keyvault::KeyVault& vault, const RepositoryId& repository,
    const keyvault::ChainHead& known,
    const std::function<base::Result<Sha256Digest>(ChainPosition)>& write);

/// As above, but asks for the known head when the lock is held (by refreshing the
/// catalog, say): only so a record that another process of this host published and died
/// over cannot be overlooked, which would fork the chain.
base::Status extend_chain_after(
    keyvault::KeyVault& vault, const RepositoryId& repository,
    const std::function<base::Result<keyvault::ChainHead>()>& known,
    const std::function<base::Result<Sha256Digest>(ChainPosition)>& write);

}  // namespace sealift::archive
