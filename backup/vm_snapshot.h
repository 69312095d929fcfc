// One snapshot of one VM, from its name to the durable archive.
#pragma once

#include <stop_token>

#include "archive/archive_writer.h"
#include "backup/backup.h"

namespace sealift::backup {

struct TakenSnapshot {
  archive::CommittedSnapshot committed;
  std::vector<std::string> warnings;
  std::chrono::milliseconds pause{0};
};

/// errors  As run_backup() reports them per VM; no snapshot is visible, the guest runs,
///         and nothing of ours is left on it.
base::Result<TakenSnapshot> take_snapshot(BackupEnvironment& environment,
                                          const BackupRequest& request,
                                          const std::string& vm,
                                          const std::stop_token& stop);

}  // namespace sealift::backup
