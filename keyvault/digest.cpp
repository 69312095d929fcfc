#include "keyvault/digest.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <array>
#include <cassert>

namespace sealift::keyvault {

namespace {

using Kdf = base::Handle<EVP_KDF, EVP_KDF_free>;
using KdfState = base::Handle<EVP_KDF_CTX, EVP_KDF_CTX_free>;

constexpr std::size_t kHkdfLimit = 255 * Sha256Digest::kSize;  // RFC 5869, 2.3

base::Error refused(std::string what) {
  return base::Error(base::ErrorCode::kIo, std::move(what))
      .because(take_openssl_error());
}

// OpenSSL's parameters take pointers to what they only read.
OSSL_PARAM octets(const char* name, base::ByteView bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()),
                                           bytes.size());
}

OSSL_PARAM text(const char* name, std::string& value) {
  return OSSL_PARAM_construct_utf8_string(name, value.data(), value.size());
}

}  // namespace

Sha256Digest sha256(std::initializer_list<base::ByteView> parts) {
  Sha256 state;
  for (const base::ByteView part : parts) state.update(part);
  return state.finish();
}

Sha256::Sha256() : state_(EVP_MD_CTX_new()) {
  require(state_ != nullptr ? 1 : 0);
  require(EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr));
}

void Sha256::update(base::ByteView bytes) {
  require(EVP_DigestUpdate(state_.get(), bytes.data(), bytes.size()));
}

Sha256Digest Sha256::finish() {
  Sha256Digest::Array digest{};
  require(EVP_DigestFinal_ex(state_.get(),
                             reinterpret_cast<unsigned char*>(digest.data()), nullptr));
  return Sha256Digest(digest);
}

base::Result<HmacSha256> HmacSha256::create(const Secret& key) {
  assert(key.size() > 0);
  const Mac mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  MacState state(mac ? EVP_MAC_CTX_new(mac.get()) : nullptr);
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters{text(OSSL_MAC_PARAM_DIGEST, digest),
                                             OSSL_PARAM_construct_end()};
  if (!state || EVP_MAC_init(state.get(),
                             reinterpret_cast<const unsigned char*>(key.view().data()),
                             key.size(), parameters.data()) != 1) {
    return refused("cannot start HMAC-SHA-256");
  }
  return HmacSha256(std::move(state));
}

Sha256Digest HmacSha256::of(std::initializer_list<base::ByteView> parts) {
  // Without a key this starts the next message under the key of create().
  require(EVP_MAC_init(state_.get(), nullptr, 0, nullptr));
  for (const base::ByteView part : parts) {
    require(EVP_MAC_update(state_.get(),
                           reinterpret_cast<const unsigned char*>(part.data()),
                           part.size()));
  }
  Sha256Digest::Array digest{};
  std::size_t size = 0;
  require(EVP_MAC_final(state_.get(), reinterpret_cast<unsigned char*>(digest.data()),
                        &size, digest.size()));
  require(size == digest.size() ? 1 : 0);
  return Sha256Digest(digest);
}

base::Result<Secret> hkdf_sha256(const Secret& key, base::ByteView salt,
                                 std::string_view info, std::size_t size) {
  assert(key.size() > 0 && size > 0 && size <= kHkdfLimit);
  const Kdf kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfState state(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  std::string digest = "SHA256";
  std::array<OSSL_PARAM, 5> parameters{};
  std::size_t count = 0;
  parameters.at(count++) = text(OSSL_KDF_PARAM_DIGEST, digest);
  parameters.at(count++) = octets(OSSL_KDF_PARAM_KEY, key.view());
  if (!salt.empty()) parameters.at(count++) = octets(OSSL_KDF_PARAM_SALT, salt);
  if (!info.empty()) {
    parameters.at(count++) = octets(OSSL_KDF_PARAM_INFO, base::as_bytes(info));
  }
  parameters.at(count) = OSSL_PARAM_construct_end();
  ASSIGN_OR_RETURN(Secret derived, Secret::allocate(size));
  if (!state ||
      EVP_KDF_derive(state.get(),
                     reinterpret_cast<unsigned char*>(derived.writable().data()), size,
                     parameters.data()) != 1) {
    return refused("cannot derive a key");
  }
  return derived;
}

base::Result<KeyId> key_id_of(const Secret& key) {
  assert(key.size() == 32);
  ASSIGN_OR_RETURN(const Secret id,
                   hkdf_sha256(key, {}, "sealift 1 key id", KeyId::kSize));
  return KeyId::from(id.view());
}

}  // namespace sealift::keyvault
