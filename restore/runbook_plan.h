// What one VM's runbook has: its steps in their order, and the keys that they are
// about.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "restore/runbook.h"

namespace sealift::restore::runbook {

inline constexpr std::string_view kRootKeyName = "AzureStackTvmAKRootKey";

/// As MOC and Windows compare names: the case of their letters says nothing.
bool is_same_name(std::string_view one, std::string_view other);

/// The cluster that the VM goes to, seen from the one that it came from.
enum class Place { kOther, kSame, kNotSaid };

enum class Step {
  kWrappingKey,
  kOldHost,
  kFolder,
  kHost,
  kOldVm,
  kVault,
  kRootKey,
  kKey,
  kCompare,
  kImport,
  kSavedMemory,
  kStart,
  kProve,
  kNewVm,
  kUnlock,
  kCluster,
  kRemoveWrappingKey,
  kCleanUp,
};

/// Refers to `facts`, which outlive it.
struct Plan {
  const RunbookFacts& facts;
  Place place = Place::kNotSaid;
  bool needs_key = false;            ///< A key is imported.
  bool opens_by_key = false;         ///< It opens the VM's own guest state.
  bool is_by_id = false;             ///< A seed of the source host does.
  const RunbookKey* own = nullptr;   ///< The VM's; null: not in the snapshot.
  const RunbookKey* root = nullptr;  ///< AzureStackTvmAKRootKey; null likewise.
  unsigned own_size = 0;             ///< In bits, also when the snapshot has no such.
  std::vector<Step> steps{};

  /// "step 7"
  std::string step(Step wanted) const;
};

Plan plan_for(const RunbookFacts& facts);

}  // namespace sealift::restore::runbook
