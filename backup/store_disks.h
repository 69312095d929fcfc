// The disks of a captured VM, each whole or what changed on it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/archive_writer.h"
#include "backup/change_tracking.h"
#include "backup/disk_pipeline.h"
#include "vm/capture.h"

namespace sealift::backup {

struct StoredDisks {
  bool is_incremental = false;  ///< Of at least one disk only changes were read.
  std::map<std::string, std::string> facts;  ///< "read_vda", "sample_vda".
  std::vector<std::string> warnings;
};

/// What counts as stored, until damage is found in the repository: from then on nothing
/// does, so that what is read is stored once more and leans on nothing that is damaged.
/// Threads: any.
class KnownUntilDamage final : public archive::KnownChunks {
 public:
  /// `known` outlives this.
  explicit KnownUntilDamage(const archive::KnownChunks& known) : known_(known) {}

  base::Result<bool> contains(const archive::ChunkId& id) const override {
    return is_damaged_ ? base::Result<bool>(false) : known_.contains(id);
  }
  void note_damage() { is_damaged_ = true; }
  bool is_damaged() const { return is_damaged_; }

 private:
  const archive::KnownChunks& known_;
  std::atomic<bool> is_damaged_ = false;
};

/// A disk of which only changes are needed is tried first: where a block that is called
/// unchanged is not what it was, or is not stored any more, or the earlier snapshot is
/// damaged, all of the disk is read, with a warning.
/// known  What `writer` asks, too.
/// say    Gets words for people on how far it is ("vda: 1.2 GiB of 4.0 GiB").
/// errors  As store_disk().
base::Result<StoredDisks> store_disks(
    const vm::Capture& capture, const vm::VmDescription& description,
    const ChangeTracking& tracking, KnownUntilDamage& known,
    archive::ArchiveWriter& writer, std::uint32_t chunk_size, Pace& pace,
    const std::function<void(const std::string& words)>& say,
    const std::stop_token& stop);

}  // namespace sealift::backup
