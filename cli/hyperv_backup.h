// sealift backup --hyperv-export.
#pragma once

#include "backup/hyperv_backup.h"
#include "cli/progress.h"
#include "cli/session.h"

namespace sealift::cli {

/// Takes the snapshots, says how it went, and notes in an inbox what is stored, once
/// that was verified.
/// errors  as backup::run_hyperv_backup() and answer_backup().
base::Result<ExitStatus> back_up_exports(const Session& session,
                                         backup::BackupEnvironment& environment,
                                         const backup::HypervBackupRequest& request,
                                         Progress& progress);

}  // namespace sealift::cli
