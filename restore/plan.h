// Writing the lines of a plan.
#pragma once

#include <string>

#include "base/error.h"
#include "restore/restore.h"

namespace sealift::restore {

/// Add a check. `detail` says what was found, `fix` what to do: no capital, no full
/// stop.
void pass(RestorePlan& plan, std::string name, std::string detail);
void warn(RestorePlan& plan, std::string name, std::string detail, std::string fix);
void block(RestorePlan& plan, std::string name, std::string detail, std::string fix);

/// kRefused, with every blocker as a next step.
base::Error blocked_error(const RestorePlan& plan);

}  // namespace sealift::restore
