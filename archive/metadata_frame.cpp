#include "archive/metadata_frame.h"

#include "archive/archive_keys.h"

namespace sealift::archive {

base::Result<keyvault::Secret> metadata_key_of(const Volume& volume,
                                               const RepositoryKeys& keys) {
  for (const FrameKey& key : volume.keys) {
    if (!key.is_metadata || key.archive != volume.archive) continue;
    for (const auto& [id, wrapped] : volume.metadata_envelopes) {
      if (id != key.id) continue;
      return unwrap_metadata_key(keys.metadata_wrapping_key, wrapped, id);
    }
  }
  return base::Error(base::ErrorCode::kWrongKey,
                     "the volume holds no metadata key for this repository")
      .at("rule", "K2")
      .at("volume", volume.name);
}

base::Result<MetadataFrames> MetadataFrames::open(const Volume& volume,
                                                  const RepositoryKeys& keys) {
  ASSIGN_OR_RETURN(const keyvault::Secret key, metadata_key_of(volume, keys));
  return open(key, keys.id_key);
}

base::Result<MetadataFrames> MetadataFrames::open(const keyvault::Secret& metadata_key,
                                                  const keyvault::Secret& id_key) {
  ASSIGN_OR_RETURN(FrameCipher cipher, FrameCipher::create(metadata_key));
  ASSIGN_OR_RETURN(keyvault::HmacSha256 ids, keyvault::HmacSha256::create(id_key));
  ASSIGN_OR_RETURN(FrameOpener opener, FrameOpener::create());
  return MetadataFrames(std::move(cipher), std::move(ids), std::move(opener));
}

base::Result<base::ByteView> MetadataFrames::open_frame(base::ByteView frame,
                                                        FrameKind kind) {
  ASSIGN_OR_RETURN(const FrameHeader header, examine_frame(frame, WantedFrame{kind}));
  return opener_.open(frame, header, cipher_, id_key_);
}

}  // namespace sealift::archive
