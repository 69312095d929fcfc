// repository.json: written once, signed by the founder; its SHA-256 is the repository
// id.
#pragma once

#include <vector>

#include "archive/envelope.h"
#include "archive/ids.h"
#include "archive/object_store.h"

namespace sealift::archive {

constexpr std::uint32_t kDefaultChunkSize = 256 * 1024;
constexpr std::uint32_t kMinChunkSize = 64 * 1024;
constexpr std::uint32_t kMaxChunkSize = 4 * 1024 * 1024;

/// What is chosen once, when a repository is made.
struct RepositorySettings {
  std::uint32_t chunk_size = kDefaultChunkSize;  ///< Bytes, a power of two.
  unsigned zstd_level = 1;                       ///< 1 to 19, for every writer.
};

/// A power of two, 64 KiB to 4 MiB.
bool is_chunk_size(std::uint64_t size);
/// Whether writers may compress at it.
bool is_zstd_level(std::uint64_t level);

/// A document that was parsed whole and whose signature by its own founder fits. That
/// it is the right one, only the id says.
struct RepositoryDocument {
  RepositoryId id;
  base::Bytes text;  ///< Exactly the stored bytes.
  RepositorySettings settings;
  std::vector<keyvault::Recipient> recipients;  ///< In order; the first is the primary.
  /// For protection keys that a cluster's key vault wrapped, and for nothing else: RSA
  /// keys of 2048 to 3071 bits (Export-MocKey is documented for 2048 alone).
  std::vector<keyvault::Recipient> key_recipients;
  std::vector<Envelope> envelopes;  ///< Of the repository key.
  KeyId repository_key;
  keyvault::SignerPublicKey founder;
};

/// errors  kCorrupt: damaged, or the signature does not fit.  kUnsupported: its format
///         is newer.
base::Result<RepositoryDocument> parse_repository_document(base::ByteView text,
                                                           base::ByteView signature);

struct NewRepositoryDocument {
  RepositoryDocument document;
  keyvault::Signature signature;
  keyvault::Secret repository_key;
};

/// Of a recipient of archives; shorter ones are for protection keys alone.
constexpr unsigned kMinRecipientBits = 3072;

/// Of `recipients`, those under 3072 bits become key_recipients.
/// errors  kUsage: no recipient, the same twice, none with 3072 bits; settings that
///         cannot be.
base::Result<NewRepositoryDocument> make_repository_document(
    std::vector<keyvault::Recipient> recipients, const keyvault::SigningKey& founder,
    const RepositorySettings& settings);

/// What the hosts of a repository hold. docs/format/keys.md.
struct RepositoryKeys {
  keyvault::Secret id_key;                 ///< 32 bytes: disk chunks and pages.
  keyvault::Secret metadata_wrapping_key;  ///< 32 bytes: wraps metadata keys (AES-KWP).
};

/// errors  kCorrupt: `repository_key` is not the one that `document` names.
base::Result<RepositoryKeys> derive_repository_keys(
    const RepositoryDocument& document, const keyvault::Secret& repository_key);

}  // namespace sealift::archive
