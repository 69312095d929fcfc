// Stores the chunks, pages and manifest of one archive, each id once.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_set>
#include <vector>

#include "archive/archive_writer.h"
#include "archive/frame_sealer.h"
#include "archive/volume_writer.h"

namespace sealift::archive {

struct StoredFrame {
  ChunkId id;
  std::uint32_t new_bytes = 0;  ///< Of the frame written; 0: it was stored already.
};

/// Threads: every member, from several. The sealers, which are dear to make, are lent
/// out to one thread at a time and kept.
class FrameStore {
 public:
  /// What `parts` refers to, `known` and `volumes` outlive this.
  FrameStore(SealerParts parts, const KnownChunks& known, VolumeWriter& volumes)
      : parts_(std::move(parts)), known_(&known), volumes_(&volumes) {}

  /// A data chunk or a page. Sealed, opened again, and appended, unless this archive
  /// has it or (shared scope only) it is known.
  base::Result<StoredFrame> store(FrameKind kind, IdScope scope, base::ByteView plain);

  /// The first failure of store(): the archive must not be committed after one, because
  /// other threads may count on the frame that failed.
  base::Status status() const;

  /// The shared ones of `entries` are known from now on.
  void forget(std::span<const IndexEntry> entries);

  /// A frame that goes into no segment: index or manifest. Its sealer is not kept.
  base::Result<base::Bytes> seal(FrameKind kind, base::ByteView plain);

 private:
  base::Result<std::unique_ptr<FrameSealer>> borrow();
  void give_back(std::unique_ptr<FrameSealer> sealer);
  base::Result<bool> is_stored(const ChunkId& id, IdScope scope);
  base::Result<StoredFrame> store_with(FrameSealer& sealer, FrameKind kind,
                                       IdScope scope, base::ByteView plain);

  SealerParts parts_;
  const KnownChunks* known_;
  VolumeWriter* volumes_;

  std::mutex idle_guard_;
  std::vector<std::unique_ptr<FrameSealer>> idle_;

  mutable std::mutex ids_guard_;
  /// Ids of this archive, stored or on their way; shared ones until they are known.
  std::unordered_set<ChunkId> shared_ids_;
  std::unordered_set<ChunkId> private_ids_;
  std::optional<base::Error> failure_;
};

}  // namespace sealift::archive
