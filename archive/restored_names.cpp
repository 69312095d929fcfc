#include "archive/restored_names.h"

#include <algorithm>
#include <array>

#include "base/lower_case.h"

namespace sealift::archive {

bool is_restored_name(std::string_view name) {
  constexpr std::array kNames{kRunbook, kRestoredKeys, kRestoreRecord};
  const std::string lowered = base::lower_case(name);
  const bool is_one = std::ranges::any_of(
      kNames, [&](std::string_view one) { return base::lower_case(one) == lowered; });
  // protection-key.json, protection-key.2.json and so on.
  return is_one ||
         (lowered.starts_with("protection-key.") && lowered.ends_with("json"));
}

}  // namespace sealift::archive
