// Base64 of a secret value, as libvirt's store has it.
#pragma once

#include "base/result.h"
#include "keyvault/secret.h"

namespace sealift::vm {

/// RFC 4648, section 4, with padding; white space at the end is passed over.
/// errors  kCorrupt: anything else.
base::Result<keyvault::Secret> decode_base64(const keyvault::Secret& text);

}  // namespace sealift::vm
