#include "restore/runbook_plan.h"

#include <algorithm>
#include <initializer_list>

#include "vm/hyperv_files.h"

namespace sealift::restore::runbook {

namespace {

constexpr unsigned kOwnKeyBits = 256;

Place place_of(const RunbookFacts& facts) {
  if (facts.target_cluster.empty() || facts.source_cluster.empty()) {
    return Place::kNotSaid;
  }
  return is_same_name(facts.target_cluster, facts.source_cluster) ? Place::kSame
                                                                  : Place::kOther;
}

std::vector<Step> steps_for(const Plan& plan) {
  std::vector<Step> steps;
  const auto add = [&steps](std::initializer_list<Step> more) {
    steps.insert(steps.end(), more);
  };
  if (plan.needs_key) add({Step::kWrappingKey});
  if (plan.is_by_id) add({Step::kOldHost});
  add({Step::kFolder, Step::kHost});
  if (plan.place != Place::kOther || plan.is_by_id) add({Step::kOldVm});
  if (plan.needs_key) add({Step::kVault, Step::kRootKey, Step::kKey, Step::kCompare});
  add({Step::kImport});
  if (plan.facts.has_saved_memory) add({Step::kSavedMemory});
  add({Step::kStart, Step::kProve});
  if (plan.is_by_id) add({Step::kNewVm, Step::kUnlock});
  add({Step::kCluster, plan.needs_key ? Step::kRemoveWrappingKey : Step::kCleanUp});
  return steps;
}

}  // namespace

bool is_same_name(std::string_view one, std::string_view other) {
  return vm::lower_case(one) == vm::lower_case(other);
}

std::string Plan::step(Step wanted) const {
  const auto found = std::ranges::find(steps, wanted);
  return "step " + std::to_string(found - steps.begin() + 1);
}

Plan plan_for(const RunbookFacts& facts) {
  Plan plan{.facts = facts, .place = place_of(facts)};
  plan.needs_key = needs_key(facts);
  plan.opens_by_key = vm::needs_key(facts.guest_state);
  plan.is_by_id = facts.guest_state == GuestStateProtection::kGspById;
  for (const RunbookKey& key : facts.keys) {
    if (key.type == "AES" && is_same_name(key.name, facts.vm_id)) plan.own = &key;
    if (key.type == "RSA" && is_same_name(key.name, kRootKeyName)) plan.root = &key;
  }
  plan.own_size = plan.own != nullptr ? plan.own->size : kOwnKeyBits;
  plan.steps = steps_for(plan);
  return plan;
}

}  // namespace sealift::restore::runbook
