// Public keys to their stored bytes and back; one key, one byte form.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "keyvault/openssl_handle.h"

namespace sealift::keyvault {

/// SubjectPublicKeyInfo DER (RFC 5280, 4.1) of the public half of `key`.
base::Bytes spki_of(const KeyPair& key);

/// errors  kUsage: not a public key, or not in its one DER form (bytes after it, an
///         encoding that a re-encoding would change).
base::Result<KeyPair> key_from_spki(base::ByteView der);

}  // namespace sealift::keyvault
