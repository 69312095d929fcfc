// Gets the keys that open frames: from metadata envelopes with the repository's keys,
// from envelopes with a recovery key.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "archive/archive_keys.h"
#include "archive/volume.h"

namespace sealift::archive {

/// Unwraps each key once. Threads: any.
class FrameKeys {
 public:
  /// metadata_wrapping_key  Empty: metadata keys come from envelopes, too.
  /// `identity` may be null and outlives this.
  FrameKeys(keyvault::Secret metadata_wrapping_key,
            const keyvault::RecoveryKey* identity)
      : metadata_wrapping_key_(std::move(metadata_wrapping_key)), identity_(identity) {}

  bool has_identity() const noexcept { return identity_ != nullptr; }

  /// The key of that id if it was unwrapped before for frames of that kind, else null.
  /// Valid as long as this.
  const keyvault::Secret* held(const KeyId& id, FrameKind kind) const;

  /// The key of that id, which must be one of `volume.keys` and for that kind.
  /// errors  kCorrupt: F10, K1.  kWrongKey: no identity, or it opens no envelope.
  base::Result<const keyvault::Secret*> unwrap(const Volume& volume, const KeyId& id,
                                               FrameKind kind);

  /// Every key of the volume's own archive. Needs an identity.
  base::Result<ArchiveKeys> archive_keys(const Volume& volume) const;

 private:
  base::Result<keyvault::Secret> unwrap_key(const Volume& volume,
                                            const FrameKey& key) const;
  base::Result<ArchiveKeys> derive(const Volume& volume, const KeyId& content_key,
                                   const ArchiveId& archive) const;

  keyvault::Secret metadata_wrapping_key_;
  const keyvault::RecoveryKey* identity_;
  mutable std::mutex guard_;
  /// By key id and whether it is a metadata key.
  std::map<std::pair<KeyId, bool>, std::unique_ptr<keyvault::Secret>> held_;
};

}  // namespace sealift::archive
