#include "cli/restore_plan_text.h"

#include <algorithm>

#include "base/error.h"
#include "cli/snapshot_answer.h"
#include "cli/table.h"

namespace sealift::cli {

namespace {

const char* text(restore::CheckState state) {
  switch (state) {
    case restore::CheckState::kPass:
      return "pass";
    case restore::CheckState::kWarn:
      return "warn";
    case restore::CheckState::kBlock:
      return "block";
  }
  return "";
}

std::size_t widest_name(const std::vector<restore::PlanCheck>& checks) {
  std::size_t width = 0;
  for (const auto& check : checks) {
    width = std::max(width, width_of(base::printable(check.name)));
  }
  return width;
}

void print_check(std::ostream& output, const restore::PlanCheck& check,
                 std::size_t width) {
  constexpr std::size_t kStateWidth = 5;
  const std::string state = text(check.state);
  const std::string name = base::printable(check.name);
  output << "  " << state << std::string(kStateWidth - state.size(), ' ') << "  "
         << name << std::string(width - width_of(name), ' ');
  if (!check.detail.empty()) output << "  " << base::printable(check.detail);
  output << "\n";
  if (!check.fix.empty())
    output << "         -> " << base::printable(check.fix) << "\n";
}

}  // namespace

void print_plan(std::ostream& output, const restore::RestorePlan& plan) {
  output << "plan: bring back " << base::printable(plan.vm_name) << " ("
         << base::printable(plan.vm_uuid) << ") from snapshot "
         << short_id(plan.snapshot) << "\n\nchecks\n";
  const std::size_t width = widest_name(plan.checks);
  for (const auto& check : plan.checks) print_check(output, check, width);
  if (plan.steps.empty()) return;
  output << "\nsteps\n";
  Table table({{""}, {""}, {""}});
  for (const auto& step : plan.steps) {
    table.add({step.action, step.what, step.path.string()});
  }
  table.print(output, "  ");
}

base::Json to_json(const restore::RestorePlan& plan) {
  base::Json checks = base::Json::array();
  for (const auto& check : plan.checks) {
    checks.push_back({{"name", check.name},
                      {"state", text(check.state)},
                      {"detail", check.detail},
                      {"fix", check.fix}});
  }
  base::Json steps = base::Json::array();
  for (const auto& step : plan.steps) {
    steps.push_back(
        {{"action", step.action}, {"what", step.what}, {"path", step.path.string()}});
  }
  return {{"vm", plan.vm_name},
          {"vm_uuid", plan.vm_uuid},
          {"snapshot", plan.snapshot.hex()},
          {"blocked", plan.is_blocked()},
          {"checks", std::move(checks)},
          {"steps", std::move(steps)}};
}

}  // namespace sealift::cli
