// Errors that name the reading rule that a file breaks (docs/format/).
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace sealift::vm {

/// The rule is the innermost place.
inline base::Error broken(std::string_view rule, std::string what,
                          base::ErrorCode code = base::ErrorCode::kCorrupt) {
  return base::Error(code, std::move(what)).at("rule", rule);
}

}  // namespace sealift::vm
