#include "keyvault/aead.h"

#include <cassert>
#include <climits>

namespace sealift::keyvault {

namespace {

const unsigned char* octets(base::ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* octets(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

base::Error refused(std::string what) {
  return base::Error(base::ErrorCode::kIo, std::move(what))
      .because(take_openssl_error());
}

}  // namespace

base::Result<Aes256Gcm> Aes256Gcm::create(const Secret& key) {
  assert(key.size() == 32);
  CipherState sealing(EVP_CIPHER_CTX_new());
  CipherState opening(EVP_CIPHER_CTX_new());
  if (!sealing || !opening ||
      EVP_EncryptInit_ex(sealing.get(), EVP_aes_256_gcm(), nullptr, octets(key.view()),
                         nullptr) != 1 ||
      EVP_DecryptInit_ex(opening.get(), EVP_aes_256_gcm(), nullptr, octets(key.view()),
                         nullptr) != 1) {
    return refused("cannot start AES-256-GCM");
  }
  return Aes256Gcm(std::move(sealing), std::move(opening));
}

base::Status Aes256Gcm::seal(const GcmNonce& nonce, base::ByteView additional,
                             base::ByteView plaintext, std::span<std::byte> sealed) {
  assert(sealed.size() == plaintext.size() + kGcmTagSize && sealed.size() <= INT_MAX);
  const std::span<std::byte> tag = sealed.last(kGcmTagSize);
  int written = 0;
  if (EVP_EncryptInit_ex(sealing_.get(), nullptr, nullptr, nullptr, octets(nonce)) !=
          1 ||
      EVP_EncryptUpdate(sealing_.get(), nullptr, &written, octets(additional),
                        static_cast<int>(additional.size())) != 1 ||
      EVP_EncryptUpdate(sealing_.get(), octets(sealed), &written, octets(plaintext),
                        static_cast<int>(plaintext.size())) != 1 ||
      EVP_EncryptFinal_ex(sealing_.get(), octets(tag), &written) != 1 ||
      EVP_CIPHER_CTX_ctrl(sealing_.get(), EVP_CTRL_AEAD_GET_TAG, kGcmTagSize,
                          tag.data()) != 1) {
    return refused("cannot seal with AES-256-GCM");
  }
  return base::Done{};
}

base::Status Aes256Gcm::open(const GcmNonce& nonce, base::ByteView additional,
                             base::ByteView sealed, std::span<std::byte> plaintext) {
  assert(sealed.size() == plaintext.size() + kGcmTagSize && sealed.size() <= INT_MAX);
  const base::ByteView ciphertext = sealed.first(plaintext.size());
  const base::ByteView tag = sealed.last(kGcmTagSize);
  int written = 0;
  unsigned char none = 0;
  if (EVP_DecryptInit_ex(opening_.get(), nullptr, nullptr, nullptr, octets(nonce)) ==
          1 &&
      EVP_DecryptUpdate(opening_.get(), nullptr, &written, octets(additional),
                        static_cast<int>(additional.size())) == 1 &&
      EVP_DecryptUpdate(opening_.get(), octets(plaintext), &written, octets(ciphertext),
                        static_cast<int>(ciphertext.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(opening_.get(), EVP_CTRL_AEAD_SET_TAG, kGcmTagSize,
                          const_cast<std::byte*>(tag.data())) == 1 &&
      EVP_DecryptFinal_ex(opening_.get(), &none, &written) == 1) {
    return base::Done{};
  }
  // OpenSSL hands plaintext out before it has seen the tag.
  OPENSSL_cleanse(plaintext.data(), plaintext.size());
  ERR_clear_error();
  return base::Error(base::ErrorCode::kCorrupt,
                     "sealed bytes fail their authentication tag");
}

}  // namespace sealift::keyvault
