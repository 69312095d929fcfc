#include "keyvault/rsa_operation.h"

#include <openssl/rsa.h>

namespace sealift::keyvault {

namespace {

constexpr int kSaltSize = 32;

const EVP_MD* digest_of(OaepHash hash) {
  switch (hash) {
    case OaepHash::kSha1:
      return EVP_sha1();
    case OaepHash::kSha256:
      return EVP_sha256();
    case OaepHash::kSha384:
      break;
  }
  return EVP_sha384();
}

base::Error refused(std::string what) {
  return base::Error(base::ErrorCode::kIo, std::move(what))
      .because(take_openssl_error());
}

}  // namespace

base::Result<KeyOperation> start_oaep(EVP_PKEY* key, OaepUse use, OaepHash hash) {
  KeyOperation operation(EVP_PKEY_CTX_new(key, nullptr));
  const auto start =
      use == OaepUse::kEncrypt ? EVP_PKEY_encrypt_init : EVP_PKEY_decrypt_init;
  if (!operation || start(operation.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(operation.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(operation.get(), digest_of(hash)) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(operation.get(), digest_of(hash)) != 1) {
    return refused("cannot start RSA-OAEP");
  }
  return operation;
}

base::Status start_pss(EVP_MD_CTX* state, EVP_PKEY* key, PssUse use) {
  EVP_PKEY_CTX* parameters = nullptr;  // Belongs to `state`.
  const auto start = use == PssUse::kSign ? EVP_DigestSignInit : EVP_DigestVerifyInit;
  if (state == nullptr || start(state, &parameters, EVP_sha256(), nullptr, key) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, kSaltSize) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, EVP_sha256()) != 1) {
    return refused("cannot start RSA-PSS");
  }
  return base::Done{};
}

}  // namespace sealift::keyvault
