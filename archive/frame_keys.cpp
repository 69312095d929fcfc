#include "archive/frame_keys.h"

#include "archive/rule.h"

namespace sealift::archive {

const keyvault::Secret* FrameKeys::held(const KeyId& id, FrameKind kind) const {
  const std::lock_guard guard(guard_);
  const auto found = held_.find({id, kind != FrameKind::kData});
  return found == held_.end() ? nullptr : found->second.get();
}

base::Result<const keyvault::Secret*> FrameKeys::unwrap(const Volume& volume,
                                                        const KeyId& id,
                                                        FrameKind kind) {
  const bool wants_metadata = kind != FrameKind::kData;
  for (const FrameKey& key : volume.keys) {
    if (key.id != id || key.is_metadata != wants_metadata) continue;
    const std::lock_guard guard(guard_);
    std::unique_ptr<keyvault::Secret>& place = held_[{id, wants_metadata}];
    if (!place) {
      auto secret = unwrap_key(volume, key);
      if (!secret) {
        held_.erase({id, wants_metadata});
        return std::move(secret).error();
      }
      place = std::make_unique<keyvault::Secret>(std::move(secret).value());
    }
    return static_cast<const keyvault::Secret*>(place.get());
  }
  return broken("F10", "the volume does not name the key of a frame")
      .at("key", id.hex());
}

base::Result<keyvault::Secret> FrameKeys::unwrap_key(const Volume& volume,
                                                     const FrameKey& key) const {
  if (key.is_metadata && !metadata_wrapping_key_.view().empty()) {
    for (const auto& [id, wrapped] : volume.metadata_envelopes) {
      if (id != key.id) continue;
      return unwrap_metadata_key(metadata_wrapping_key_, wrapped, id);
    }
  }
  ASSIGN_OR_RETURN(ArchiveKeys keys, derive(volume, key.content_key, key.archive));
  RETURN_IF_ERROR(check_key_id(key.is_metadata ? keys.metadata : keys.data, key.id));
  return std::move(key.is_metadata ? keys.metadata : keys.data);
}

base::Result<ArchiveKeys> FrameKeys::derive(const Volume& volume,
                                            const KeyId& content_key,
                                            const ArchiveId& archive) const {
  if (identity_ == nullptr) {
    return base::Error(base::ErrorCode::kWrongKey,
                       "reading the content of a VM needs a recovery key")
        .at("archive", archive.hex())
        .next("name it with --identity");
  }
  auto content = open_envelope(volume.envelopes, content_key, *identity_);
  if (!content) return std::move(content).error().at("archive", archive.hex());
  return derive_archive_keys(content.value(), archive);
}

base::Result<ArchiveKeys> FrameKeys::archive_keys(const Volume& volume) const {
  return derive(volume, volume.content_key, volume.archive);
}

}  // namespace sealift::archive
