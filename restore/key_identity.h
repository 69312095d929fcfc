// The recovery key that the keys of an exported VM are wrapped to.
#pragma once

#include <string>

#include "archive/manifest.h"
#include "base/error.h"
#include "keyvault/recovery_key.h"

namespace sealift::restore {

/// What the manifest calls the use of a VM's own key.
constexpr const char* kOfVm = "guest-state";

struct KeyIdentity {
  const keyvault::RecoveryKey* key = nullptr;  ///< Outlives it.
  std::string file;                            ///< Where it came from, for errors.
};

/// kWrongKey: none of the VM's keys is wrapped to it. Names the ids that are.
base::Error not_wrapped_to(const KeyIdentity& identity,
                           const archive::Manifest& manifest);

}  // namespace sealift::restore
