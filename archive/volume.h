// Reading volumes: what a volume says, after its signature and form were checked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "archive/envelope.h"
#include "archive/frame_kind.h"
#include "archive/manifest.h"
#include "archive/repository.h"

namespace sealift::archive {

/// Where a frame lies. A hint: only its id makes a frame believed.
struct IndexEntry {
  ChunkId id;
  FrameKind kind = FrameKind::kData;
  std::uint32_t key = 0;  ///< Which of Volume::keys seals it.
  std::uint64_t offset =
      0;  ///< Of the frame's header, in bytes from the volume's start.
  std::uint32_t stored_size = 0;  ///< Header, ciphertext and tag together.
  std::uint32_t plain_size = 0;
};

/// A key that seals frames of a volume, and who drew it.
struct FrameKey {
  KeyId id;
  bool is_metadata = false;
  ArchiveId archive;  ///< Whose content key it comes from,
  KeyId content_key;  ///< that key's id,
  SignerId signer;    ///< and who drew it.
};

/// A protection key of the snapshot, wrapped to a further recipient when the snapshot
/// left its repository. Signed with the volume, not with the snapshot.
struct AddedKey {
  std::string of;  ///< The member that holds it for others: "protection-key.json".
  RecipientId recipient;
  std::string text;  ///< Key JSON.
};

/// What the last volume of an archive holds besides frames.
struct SnapshotPart {
  Record record;  ///< Kind "snapshot", its signature checked.
  Sha256Digest record_digest;
  std::string text;  ///< Of the record, and its signature: they move verbatim.
  keyvault::Signature signature{};
  base::Bytes manifest_frame;
  std::vector<std::pair<std::string, std::string>> protection_keys;  ///< Member, text.
};

/// A volume whose sums were signed by a trusted signer, and whose tail (header.json,
/// index, snapshot, footer) fits those sums and the one byte form.
struct Volume {
  std::string name;  ///< Of the object.
  std::uint64_t size = 0;
  RepositoryId repository;
  ArchiveId archive;
  std::uint32_t number = 0;  ///< From 1.
  SignerId signer;
  base::Timestamp created;
  KeyId content_key;
  std::vector<Envelope> envelopes;  ///< Of content keys.
  std::vector<FrameKey> keys;
  /// Metadata keys wrapped (AES-KWP) under the repository's metadata wrapping key.
  std::vector<std::pair<KeyId, base::Bytes>> metadata_envelopes;
  std::vector<AddedKey> added_keys;
  base::Bytes index_frames;  ///< Still sealed: open_index().
  std::optional<SnapshotPart> snapshot;
};

/// Checks and reads the tail of a volume by ranged reads, in the order of the reading
/// rules (docs/format/volume.md): footer's format number, sums' signature, then the
/// rest, hashing the very buffer that is parsed.
/// errors  kCorrupt: places "rule", "member", "volume".  kUnsupported: newer format.
base::Result<Volume> open_volume(const ObjectReader& store, const ObjectInfo& object,
                                 const RepositoryId& repository, const Trust& trust);

/// The places that the index claims.
/// errors  kCorrupt: it does not open, or claims what cannot be.  kWrongKey: `keys`
/// hold
///         none for it.
base::Result<std::vector<IndexEntry>> open_index(const Volume& volume,
                                                 const RepositoryKeys& keys);
/// The same with the metadata key of the volume's archive.
base::Result<std::vector<IndexEntry>> open_index(const Volume& volume,
                                                 const keyvault::Secret& metadata_key,
                                                 const keyvault::Secret& id_key);

/// errors  kCorrupt, kWrongKey as open_index().
base::Result<ParsedManifest> open_manifest(const Volume& volume,
                                           const RepositoryKeys& keys);
/// The same for who holds a recovery key and nothing of the repository: the id key is
/// taken from the manifest, which the signed snapshot text names.
base::Result<ParsedManifest> open_manifest(const Volume& volume,
                                           const keyvault::RecoveryKey& identity);

/// "0001" for 1: how volumes are numbered in names.
std::string volume_digits(std::uint32_t number);

/// Names of volume objects: "archives/2a/2a7f…/2a7f…-0001.tar".
std::string volume_name(const ArchiveId& archive, std::uint32_t number);
struct VolumeName {
  ArchiveId archive;
  std::uint32_t number = 0;
};
std::optional<VolumeName> parse_volume_name(std::string_view name);

}  // namespace sealift::archive
