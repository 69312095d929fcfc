// Opening the index and manifest frames of a volume with the repository's keys.
#pragma once

#include "archive/frame_opener.h"
#include "archive/volume.h"

namespace sealift::archive {

/// The metadata key of `archive` as `volume` names it; the archive's own by default.
/// errors  kWrongKey, kCorrupt: rules K1, K2.
base::Result<keyvault::Secret> metadata_key_of(const Volume& volume,
                                               const RepositoryKeys& keys);

/// One thread at a time.
class MetadataFrames {
 public:
  /// errors  as metadata_key_of().
  static base::Result<MetadataFrames> open(const Volume& volume,
                                           const RepositoryKeys& keys);
  static base::Result<MetadataFrames> open(const keyvault::Secret& metadata_key,
                                           const keyvault::Secret& id_key);

  /// Rules F1 to F13. The view is valid until the next call.
  base::Result<base::ByteView> open_frame(base::ByteView frame, FrameKind kind);

 private:
  MetadataFrames(FrameCipher cipher, keyvault::HmacSha256 id_key, FrameOpener opener)
      : cipher_(std::move(cipher)),
        id_key_(std::move(id_key)),
        opener_(std::move(opener)) {}
  FrameCipher cipher_;
  keyvault::HmacSha256 id_key_;
  FrameOpener opener_;
};

}  // namespace sealift::archive
