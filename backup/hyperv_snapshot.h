// One snapshot of one VM of an export, from its files to the durable archive.
#pragma once

#include <stop_token>

#include "backup/hyperv_backup.h"
#include "backup/hyperv_checks.h"
#include "backup/vm_snapshot.h"

namespace sealift::backup {

/// errors  As run_hyperv_backup() reports them per VM; no snapshot is visible.
base::Result<TakenSnapshot> take_hyperv_snapshot(BackupEnvironment& environment,
                                                 const HypervBackupRequest& request,
                                                 const ExportScene& scene,
                                                 const vm::HypervVm& vm,
                                                 const std::stop_token& stop);

}  // namespace sealift::backup
