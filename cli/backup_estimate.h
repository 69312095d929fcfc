// `sealift backup --estimate`: its answer.
#pragma once

#include <vector>

#include "backup/estimate.h"
#include "cli/session.h"

namespace sealift::cli {

/// Prints what each VM's backup would read; one JSON object a line with --json.
/// errors  The error of the one VM that was asked for.
base::Result<ExitStatus> answer_estimates(
    const Session& session, const std::vector<backup::VmEstimate>& estimates);

}  // namespace sealift::cli
