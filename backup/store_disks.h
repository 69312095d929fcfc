// The disks of a captured VM, each whole or what changed on it.
#pragma once

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

using ProgressOfDisk = std::function<DiskProgress(const std::string& target)>;

/// A disk of which only changes are needed is tried first: where a block that is called
/// unchanged is not what it was, or is not stored any more, all of the disk is read,
/// with a warning.
/// known  What counts as stored.
/// errors  As store_disk().
base::Result<StoredDisks> store_disks(
    const vm::Capture& capture, const vm::VmDescription& description,
    const ChangeTracking& tracking, const archive::KnownChunks& known,
    archive::ArchiveWriter& writer, std::uint32_t chunk_size, Pace& pace,
    const ProgressOfDisk& progress, const std::stop_token& stop);

}  // namespace sealift::backup
