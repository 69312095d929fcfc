// AES key wrap with padding: a key sealed under another, with no nonce to repeat.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

/// RFC 5649 (AES-KWP). `wrapping` is 32 bytes, `key` 1 byte to 64 KiB; the result is
/// 8 * ceil(size / 8) + 8 bytes.
base::Result<base::Bytes> wrap_key(const Secret& wrapping, const Secret& key);

/// errors  kWrongKey: `wrapped` is not whole, or was not wrapped under `wrapping`.
base::Result<Secret> unwrap_key(const Secret& wrapping, base::ByteView wrapped);

}  // namespace sealift::keyvault
