#include "keyvault/pkcs8.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <climits>

namespace sealift::keyvault {

namespace {

using PlainKey = base::Handle<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;
using EncryptedKey = base::Handle<X509_SIG, X509_SIG_free>;
using Algorithm = base::Handle<X509_ALGOR, X509_ALGOR_free>;

// The most that stock OpenSSL 3.0 opens: N=32768 is over its fixed limit of 32 MiB.
constexpr std::uint64_t kScryptN = 16384;
constexpr std::uint64_t kScryptR = 8;
constexpr std::uint64_t kScryptP = 16;
constexpr int kSaltSize = 16;

base::Error not_pkcs8() {
  return base::Error(base::ErrorCode::kUsage, "the bytes are not a PKCS#8 private key")
      .because(take_openssl_error());
}

base::Error refused(std::string what) {
  return base::Error(base::ErrorCode::kIo, std::move(what))
      .because(take_openssl_error());
}

const char* text_of(const Secret& passphrase) {
  return reinterpret_cast<const char*>(passphrase.view().data());
}

// Decodes one DER value that fills `der` to its end.
template <typename T, auto Release>
base::Handle<T, Release> decode(T* (*decoder)(T**, const unsigned char**, long),
                                base::ByteView der) {
  if (der.size() > INT_MAX) return {};
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = at + der.size();
  base::Handle<T, Release> value(decoder(nullptr, &at, static_cast<long>(der.size())));
  if (at != end) value.reset();
  return value;
}

base::Result<KeyPair> key_of(const PlainKey& plain) {
  KeyPair key(EVP_PKCS82PKEY(plain.get()));
  if (!key) return not_pkcs8();
  return key;
}

base::Result<Secret> take_text(const Stream& stream) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(stream.get(), &text);
  if (size <= 0) return refused("cannot write a private key");
  return Secret::copy_of(
      std::as_bytes(std::span(text, static_cast<std::size_t>(size))));
}

}  // namespace

base::Result<KeyPair> key_from_pkcs8(base::ByteView der) {
  const auto plain = decode<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>(
      d2i_PKCS8_PRIV_KEY_INFO, der);
  if (!plain) return not_pkcs8();
  return key_of(plain);
}

base::Result<KeyPair> key_from_encrypted_pkcs8(base::ByteView der,
                                               const Secret& passphrase) {
  const auto encrypted = decode<X509_SIG, X509_SIG_free>(d2i_X509_SIG, der);
  if (!encrypted) return not_pkcs8();
  const PlainKey plain(PKCS8_decrypt(encrypted.get(), text_of(passphrase),
                                     static_cast<int>(passphrase.size())));
  if (!plain) {
    return base::Error(base::ErrorCode::kWrongKey,
                       "the passphrase does not open the private key")
        .because(take_openssl_error())
        .next("check the passphrase; of a file, the first line counts");
  }
  return key_of(plain);
}

base::Result<Secret> pkcs8_pem(const KeyPair& key) {
  const PlainKey plain(EVP_PKEY2PKCS8(key.get()));
  const Stream stream(BIO_new(BIO_s_secmem()));
  if (!plain || !stream ||
      PEM_write_bio_PKCS8_PRIV_KEY_INFO(stream.get(), plain.get()) != 1) {
    return refused("cannot write a private key");
  }
  return take_text(stream);
}

base::Result<Secret> encrypted_pkcs8_pem(const KeyPair& key, const Secret& passphrase) {
  const PlainKey plain(EVP_PKEY2PKCS8(key.get()));
  // No salt and no IV given: OpenSSL draws both.
  Algorithm algorithm(PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, kSaltSize,
                                            nullptr, kScryptN, kScryptR, kScryptP));
  if (!plain || !algorithm) return refused("cannot encrypt a private key");
  const EncryptedKey encrypted(PKCS8_set0_pbe(text_of(passphrase),
                                              static_cast<int>(passphrase.size()),
                                              plain.get(), algorithm.get()));
  if (!encrypted) return refused("cannot encrypt a private key");
  static_cast<void>(algorithm.release());  // It belongs to `encrypted` now.
  const Stream stream(BIO_new(BIO_s_mem()));
  if (!stream || PEM_write_bio_PKCS8(stream.get(), encrypted.get()) != 1) {
    return refused("cannot write a private key");
  }
  return take_text(stream);
}

}  // namespace sealift::keyvault
