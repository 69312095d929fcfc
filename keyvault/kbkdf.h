// Keys derived from a key and a context.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

/// `size` bytes, at most 32: NIST SP 800-108, counter mode, HMAC-SHA-256, a counter and
/// a length of 32 bits, a zero byte between `label` and `context`.
base::Result<Secret> kbkdf_hmac_sha256(const Secret& key, std::string_view label,
                                       base::ByteView context, std::size_t size);

}  // namespace sealift::keyvault
