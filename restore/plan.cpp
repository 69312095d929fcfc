#include "restore/plan.h"

#include <algorithm>

#include "restore/restore.h"

namespace sealift::restore {

bool RestorePlan::is_blocked() const {
  return std::ranges::any_of(
      checks, [](const PlanCheck& check) { return check.state == CheckState::kBlock; });
}

void pass(RestorePlan& plan, std::string name, std::string detail) {
  plan.checks.push_back({std::move(name), CheckState::kPass, std::move(detail), ""});
}

void warn(RestorePlan& plan, std::string name, std::string detail, std::string fix) {
  plan.checks.push_back(
      {std::move(name), CheckState::kWarn, std::move(detail), std::move(fix)});
}

void block(RestorePlan& plan, std::string name, std::string detail, std::string fix) {
  plan.checks.push_back(
      {std::move(name), CheckState::kBlock, std::move(detail), std::move(fix)});
}

base::Error blocked_error(const RestorePlan& plan) {
  base::Error error(base::ErrorCode::kRefused,
                    "the VM cannot be restored here; nothing was touched");
  error.at("snapshot", plan.snapshot.hex()).at("vm", plan.vm_name);
  for (const PlanCheck& check : plan.checks) {
    if (check.state != CheckState::kBlock) continue;
    error.next(check.name + ": " + check.detail + "; " + check.fix);
  }
  return error;
}

}  // namespace sealift::restore
