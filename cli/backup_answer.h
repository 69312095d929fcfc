// How a backup went, for a person or a script.
#pragma once

#include <vector>

#include "backup/backup.h"
#include "cli/session.h"

namespace sealift::cli {

/// Says how each VM went: a line or a JSON object each, warnings, and what failed.
/// return  kNotEverything: some VM failed, or its snapshot is incomplete.
/// errors  what every VM failed with.
base::Result<ExitStatus> answer_backup(const Session& session,
                                       const std::vector<backup::VmOutcome>& outcomes);

}  // namespace sealift::cli
