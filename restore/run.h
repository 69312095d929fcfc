// Running a plan: everything is made, or nothing is left.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "archive/segment_checks.h"
#include "archive/snapshot_reader.h"
#include "base/filesystem.h"
#include "restore/places.h"
#include "restore/restore.h"
#include "restore/target.h"

namespace sealift::restore {

/// All that a run needs. Ownership  A value; the reader's repository outlives it.
struct RestoreWork {
  std::unique_ptr<archive::SnapshotReader> reader;
  /// Of every volume that is needed.
  std::unique_ptr<archive::SegmentChecks> checks;
  base::Uuid uuid;
  std::string definition;
  Places places;
  std::optional<vm::VtpmSecret> secret;  ///< None: nothing to define.
  AfterRestore after = AfterRestore::kLeaveOff;
  std::function<void(const std::string& words)> progress;
};

/// Secret, NVRAM, vTPM state, disks, definition, start, in this order: until the
/// definition is there, nothing can run what is only half there, and it is not before
/// every byte of every volume was checked.
/// errors  The step that failed; what was made is removed again, and a next step says
///         what could not be.
base::Status run_restore(const RestoreWork& work, Target& target,
                         base::Filesystem& filesystem, std::stop_token stop);

}  // namespace sealift::restore
