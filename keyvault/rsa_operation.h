// The two RSA schemes of this project with their parameters set (RFC 8017).
#pragma once

#include "base/result.h"
#include "keyvault/openssl_handle.h"
#include "keyvault/recovery_key.h"

namespace sealift::keyvault {

enum class OaepUse { kEncrypt, kDecrypt };
enum class PssUse { kSign, kVerify };

/// RSAES-OAEP with `hash`, MGF1 with the same, empty label.
base::Result<KeyOperation> start_oaep(EVP_PKEY* key, OaepUse use, OaepHash hash);

/// RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of exactly 32 bytes. `state` may be
/// null: then it fails.
base::Status start_pss(EVP_MD_CTX* state, EVP_PKEY* key, PssUse use);

}  // namespace sealift::keyvault
