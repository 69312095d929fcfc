// sealift backup --hyperv-export.
#pragma once

#include "backup/hyperv_backup.h"
#include "cli/backup_answer.h"
#include "cli/progress.h"
#include "cli/session.h"

namespace sealift::cli {

/// Takes the snapshots, says how it went, and notes in an inbox what is stored, once
/// that was verified.
/// errors  as backup::run_hyperv_backup(), and what an inbox cannot be told.
base::Result<ExitStatus> back_up_exports(const Session& session,
                                         backup::BackupEnvironment& environment,
                                         const backup::HypervBackupRequest& request,
                                         Progress& progress,
                                         const BackupAnswer& answer);

}  // namespace sealift::cli
