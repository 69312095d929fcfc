// What every run does around the snapshot of one VM.
#pragma once

#include <string>

#include "backup/backup.h"
#include "backup/vm_snapshot.h"

namespace sealift::backup {

/// Nobody would believe what a host writes that is not enrolled, or was revoked.
/// errors  kRefused.
base::Status refuse_if_not_enrolled(const BackupEnvironment& environment);

/// Looks up the snapshot that was just taken: it is there whatever the catalog says.
void note_stored(BackupEnvironment& environment, TakenSnapshot taken,
                 VmOutcome& outcome);

/// Of a VM whose turn did not come before the run was stopped.
VmOutcome not_begun(const std::string& vm);

}  // namespace sealift::backup
