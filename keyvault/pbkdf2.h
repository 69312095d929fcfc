// PBKDF2: a key from a passphrase, as other programs derive theirs.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

/// PBKDF2-HMAC-SHA-512 (RFC 8018, section 5.2). Only to open what others made with it:
/// our own passphrases use scrypt.
///
/// iterations  1 or more.   size  1 to 1024 bytes.
base::Result<Secret> pbkdf2_hmac_sha512(const Secret& password, base::ByteView salt,
                                        std::uint32_t iterations, std::size_t size);

}  // namespace sealift::keyvault
