// What protects a VM's guest state, and whether that demands the VM's protection key.
#pragma once

#include <string_view>

#include "vm/vmgs.h"

namespace sealift::vm {

enum class GuestStateProtection {
  kAbsent,   ///< There is no .vmgs: the VM is of generation 1.
  kEmpty,    ///< The VM was never started: nothing is in it yet.
  kNone,     ///< It is not encrypted.
  kGspKey,   ///< By a seed that the cluster's key, named after the VM, protects.
  kGspById,  ///< By a seed of the source host: no key of a key vault opens it.
  kUnknown,  ///< Encrypted, and nothing says with what.
};

GuestStateProtection protection_of(const Vmgs& state);

/// "absent", "empty", "none", "GspKey", "GspById", "unknown": kProtection in a
/// manifest, guest_state in sealift-restore.json.
const char* word_for(GuestStateProtection protection);

/// kUnknown: no such word.
GuestStateProtection protection_called(std::string_view word);

/// Whether the guest state may never open again without the key of its VM that the
/// cluster's key vault holds.
bool needs_key(GuestStateProtection protection);

}  // namespace sealift::vm
