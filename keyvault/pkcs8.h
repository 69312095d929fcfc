// Private keys to PKCS#8 (RFC 5958) and back.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "keyvault/openssl_handle.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

/// errors  kUsage: not a private key in PKCS#8, or bytes follow it.
base::Result<KeyPair> key_from_pkcs8(base::ByteView der);

/// The same from an EncryptedPrivateKeyInfo, whatever scheme OpenSSL knows.
/// errors  kUsage: not one.  kWrongKey: the passphrase does not open it.
base::Result<KeyPair> key_from_encrypted_pkcs8(base::ByteView der,
                                               const Secret& passphrase);

/// "PRIVATE KEY" PEM.
base::Result<Secret> pkcs8_pem(const KeyPair& key);

/// "ENCRYPTED PRIVATE KEY" PEM: PBES2 with scrypt (RFC 7914) N=16384, r=8, p=16 and
/// AES-256-CBC.
base::Result<Secret> encrypted_pkcs8_pem(const KeyPair& key, const Secret& passphrase);

}  // namespace sealift::keyvault
