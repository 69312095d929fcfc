#include "archive/frame_store.h"

namespace sealift::archive {

base::Result<std::unique_ptr<FrameSealer>> FrameStore::borrow() {
  {
    const std::lock_guard guard(idle_guard_);
    if (!idle_.empty()) {
      std::unique_ptr<FrameSealer> sealer = std::move(idle_.back());
      idle_.pop_back();
      return sealer;
    }
  }
  ASSIGN_OR_RETURN(FrameSealer sealer, FrameSealer::create(parts_));
  return std::make_unique<FrameSealer>(std::move(sealer));
}

void FrameStore::give_back(std::unique_ptr<FrameSealer> sealer) {
  const std::lock_guard guard(idle_guard_);
  idle_.push_back(std::move(sealer));
}

// The id is taken before the frame is made, so that two threads with equal chunks seal
// one. If that one fails, status() says so for both.
base::Result<bool> FrameStore::is_stored(const ChunkId& id, IdScope scope) {
  if (scope == IdScope::kShared) {
    ASSIGN_OR_RETURN(const bool is_known, known_->contains(id));
    if (is_known) return true;
  }
  const std::lock_guard guard(ids_guard_);
  auto& ids = scope == IdScope::kShared ? shared_ids_ : private_ids_;
  return !ids.insert(id).second;
}

void FrameStore::forget(std::span<const IndexEntry> entries) {
  const std::lock_guard guard(ids_guard_);
  for (const IndexEntry& entry : entries) shared_ids_.erase(entry.id);
}

base::Result<StoredFrame> FrameStore::store_with(FrameSealer& sealer, FrameKind kind,
                                                 IdScope scope, base::ByteView plain) {
  const ChunkId id = sealer.id_of(kind, scope, plain);
  ASSIGN_OR_RETURN(const bool is_there, is_stored(id, scope));
  if (is_there) return StoredFrame{id, 0};
  ASSIGN_OR_RETURN(const base::ByteView frame, sealer.seal(kind, scope, id, plain));
  ASSIGN_OR_RETURN(const FrameHeader header, decode_frame_header(frame));
  RETURN_IF_ERROR(volumes_->append(header, frame));
  return StoredFrame{id, static_cast<std::uint32_t>(frame.size())};
}

base::Result<StoredFrame> FrameStore::store(FrameKind kind, IdScope scope,
                                            base::ByteView plain) {
  ASSIGN_OR_RETURN(std::unique_ptr<FrameSealer> sealer, borrow());
  auto stored = store_with(*sealer, kind, scope, plain);
  give_back(std::move(sealer));
  if (!stored) {
    const std::lock_guard guard(ids_guard_);
    if (!failure_) failure_ = stored.error();
  }
  return stored;
}

base::Status FrameStore::status() const {
  const std::lock_guard guard(ids_guard_);
  if (failure_) return *failure_;
  return base::Done{};
}

base::Result<base::Bytes> FrameStore::seal(FrameKind kind, base::ByteView plain) {
  // With a sealer of its own: one that is kept would keep the megabytes of an index.
  ASSIGN_OR_RETURN(FrameSealer sealer, FrameSealer::create(parts_));
  return sealer.seal_alone(kind, plain);
}

}  // namespace sealift::archive
