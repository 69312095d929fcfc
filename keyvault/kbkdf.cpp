#include "keyvault/kbkdf.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include <array>

#include "keyvault/openssl_handle.h"

namespace sealift::keyvault {

namespace {

using Kdf = base::Handle<EVP_KDF, EVP_KDF_free>;
using KdfState = base::Handle<EVP_KDF_CTX, EVP_KDF_CTX_free>;

OSSL_PARAM text_parameter(const char* name, const char* value) {
  return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(value), 0);
}

OSSL_PARAM bytes_parameter(const char* name, base::ByteView bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()),
                                           bytes.size());
}

}  // namespace

base::Result<Secret> kbkdf_hmac_sha256(const Secret& key, std::string_view label,
                                       base::ByteView context, std::size_t size) {
  ASSIGN_OR_RETURN(Secret derived, Secret::allocate(size));
  const Kdf kdf(EVP_KDF_fetch(nullptr, "KBKDF", nullptr));
  const KdfState state(EVP_KDF_CTX_new(kdf.get()));
  const std::array parameters{
      text_parameter(OSSL_KDF_PARAM_MODE, "counter"),
      text_parameter(OSSL_KDF_PARAM_MAC, "HMAC"),
      text_parameter(OSSL_KDF_PARAM_DIGEST, "SHA256"),
      bytes_parameter(OSSL_KDF_PARAM_KEY, key.view()),
      bytes_parameter(OSSL_KDF_PARAM_SALT, base::as_bytes(label)),
      bytes_parameter(OSSL_KDF_PARAM_INFO, context),
      OSSL_PARAM_construct_end()};
  require(EVP_KDF_derive(state.get(),
                         reinterpret_cast<unsigned char*>(derived.writable().data()),
                         derived.size(), parameters.data()));
  return derived;
}

}  // namespace sealift::keyvault
