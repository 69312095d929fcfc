// Where frames lie, as the volumes themselves show: no index and no catalog is asked.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "archive/snapshot_reader.h"
#include "archive/volume_set.h"

namespace sealift::archive {

/// For when a place was looked at and another frame, or none, lies there. Threads: any.
class FrameScan final : public ChunkLocator {
 public:
  /// What is given outlives this.
  FrameScan(const ObjectReader& store, VolumeSet& volumes)
      : store_(&store), volumes_(&volumes) {}

  /// Every frame whose header says that it is `id`. The first call walks from header to
  /// header through every volume of the repository that is believed, which takes as
  /// long as reading one small piece of each frame.
  /// errors  kIo.
  base::Result<std::vector<ChunkLocation>> locate(const ChunkId& id) const override;

 private:
  base::Status walk_all() const;
  base::Status walk(const std::string& volume) const;
  base::Status walk_segment(const std::string& volume, std::uint64_t begin,
                            std::uint64_t end) const;

  const ObjectReader* store_;
  VolumeSet* volumes_;
  mutable std::mutex guard_;  ///< Guards what follows.
  mutable bool is_walked_ = false;
  mutable std::map<ChunkId, std::vector<ChunkLocation>> places_;
};

}  // namespace sealift::archive
