// Whom a repository's readers believe, and since when.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "archive/record.h"
#include "archive/repository_document.h"

namespace sealift::archive {

enum class Role { kWriter, kKeeper };

struct KnownSigner {
  keyvault::SignerPublicKey key;
  Role role = Role::kWriter;
  base::Timestamp since;
  std::optional<base::Timestamp> revoked_since;
  /// "founder", "enrolled", or "trusted NAME" from the key vault.
  std::string origin;
};

/// From the founder, keepers' `enrolled` and `revoked` records say who may write;
/// recipients' recovery keys may enrol too (docs/decisions). Immutable; any thread.
class Trust {
 public:
  Trust() = default;
  explicit Trust(std::vector<KnownSigner> signers) : signers_(std::move(signers)) {}

  const std::vector<KnownSigner>& signers() const noexcept { return signers_; }

  /// The signer of that id, revoked or not; null when nobody here vouches for it.
  const KnownSigner* lookup(const SignerId& signer) const noexcept;

  /// errors  kCorrupt: unknown, or revoked at or before `when`; the error says which
  ///         and what to compare.
  base::Result<const KnownSigner*> find(const SignerId& signer,
                                        base::Timestamp when) const;

  /// The signer, among all known, whose signature over `message` fits.
  /// errors  kCorrupt: none.
  base::Result<const KnownSigner*> verify(base::ByteView message,
                                          base::ByteView signature) const;

 private:
  std::vector<KnownSigner> signers_;
};

/// Whom the founder, keepers and recovery keys vouch for: reading rules R9 to R14 of
/// docs/format/record.md.
///
/// records  Of every signer, each signed by the key that its signer id names; whether
///          that signer is to be believed is what is found out here.
/// extra    Signers that this host's key vault trusts, as writers.
Trust build_trust(const RepositoryDocument& document,
                  const std::vector<Record>& records,
                  const std::vector<keyvault::TrustedSigner>& extra);

/// What rule R10 demands of an `enrolled` or `revoked` record; any other is fine.
/// errors  kCorrupt.  kUnsupported: a role that this program does not know.
base::Status check_trust_fields(const Record& record);

/// The key that an `enrolled` record names, whoever wrote it: a signer id certifies its
/// key, so a key is worth trying wherever it stands.
/// errors  kCorrupt: the record names no Ed25519 key.
base::Result<keyvault::SignerPublicKey> enrolled_key(const Record& record);

/// "writer" or "keeper".
std::string_view role_name(Role role);

}  // namespace sealift::archive
