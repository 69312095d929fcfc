// A restore's plan, for people and for scripts.
#pragma once

#include <ostream>

#include "base/strict_json.h"
#include "restore/restore.h"

namespace sealift::cli {

/// Checks with pass, warn or block and what helps, then the steps in their order.
void print_plan(std::ostream& output, const restore::RestorePlan& plan);

base::Json to_json(const restore::RestorePlan& plan);

}  // namespace sealift::cli
