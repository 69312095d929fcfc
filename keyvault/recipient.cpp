#include <openssl/rsa.h>

#include <algorithm>
#include <climits>

#include "keyvault/digest.h"
#include "keyvault/field_text.h"
#include "keyvault/pem.h"
#include "keyvault/public_key_der.h"
#include "keyvault/recovery_key.h"
#include "keyvault/rsa_operation.h"

namespace sealift::keyvault {

namespace {

constexpr int kMinimumBits = 2048;
constexpr int kMaximumBits = 16384;

base::Error not_a_recipient(std::string what) {
  return {base::ErrorCode::kUsage, "not an RSA public key: " + std::move(what)};
}

const unsigned char* octets(base::ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

base::Bytes pkcs1_of(EVP_PKEY* key) {
  const int size = i2d_PublicKey(key, nullptr);
  if (size <= 0) return {};
  base::Bytes der(static_cast<std::size_t>(size));
  auto* end = reinterpret_cast<unsigned char*>(der.data());
  return i2d_PublicKey(key, &end) == size ? der : base::Bytes();
}

}  // namespace

base::Result<Recipient> Recipient::from_key(KeyPair key) {
  if (EVP_PKEY_is_a(key.get(), "RSA") != 1) {
    return not_a_recipient("it is a key of another kind");
  }
  const int bits = EVP_PKEY_get_bits(key.get());
  if (bits < kMinimumBits || bits > kMaximumBits) {
    return not_a_recipient("it has " + std::to_string(bits) + " bits, not " +
                           std::to_string(kMinimumBits) + " to " +
                           std::to_string(kMaximumBits));
  }
  const KeyOperation check(EVP_PKEY_CTX_new(key.get(), nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) {
    return not_a_recipient("its numbers are unsound").because(take_openssl_error());
  }
  Recipient recipient;
  recipient.spki_ = spki_of(key);
  recipient.id_ = RecipientId(sha256(recipient.spki_).bytes());
  recipient.key_ = std::move(key);
  return recipient;
}

const char* name_of(OaepHash hash) {
  switch (hash) {
    case OaepHash::kSha1:
      return "SHA-1";
    case OaepHash::kSha256:
      return "SHA-256";
    default:
      return "SHA-384";
  }
}

base::Result<Recipient> Recipient::parse_pem(base::ByteView pem) {
  ASSIGN_OR_RETURN(const std::string text, read_field_text(pem));
  ASSIGN_OR_RETURN(const PemBlock block, read_pem(base::as_bytes(text)));
  if (block.label == "PUBLIC KEY") return parse_spki(block.der.view());
  if (block.label == "RSA PUBLIC KEY") return parse_pkcs1(block.der.view());
  if (block.label.ends_with("PRIVATE KEY")) {
    return not_a_recipient("it is a private key")
        .next("name the .pub.pem file beside it, and keep the private key elsewhere");
  }
  return not_a_recipient("it is a PEM text of another kind")
      .at("PEM label", block.label);
}

base::Result<Recipient> Recipient::parse_spki(base::ByteView der) {
  ASSIGN_OR_RETURN(KeyPair key, key_from_spki(der));
  return from_key(std::move(key));
}

base::Result<Recipient> Recipient::parse_pkcs1(base::ByteView der) {
  const unsigned char* start = octets(der);
  KeyPair key(der.size() > INT_MAX ? nullptr
                                   : d2i_PublicKey(EVP_PKEY_RSA, nullptr, &start,
                                                   static_cast<long>(der.size())));
  if (!key || !std::ranges::equal(pkcs1_of(key.get()), der)) {
    ERR_clear_error();
    return not_a_recipient("the bytes are not one RSAPublicKey in DER");
  }
  return from_key(std::move(key));
}

base::Result<base::Bytes> Recipient::pkcs1() const {
  base::Bytes der = pkcs1_of(key_.get());
  if (der.empty()) {
    return base::Error(base::ErrorCode::kIo, "cannot write a public key")
        .because(take_openssl_error());
  }
  return der;
}

std::string Recipient::spki_pem() const { return write_pem("PUBLIC KEY", spki_); }

std::string Recipient::pkcs1_pem() const {
  return write_pem("RSA PUBLIC KEY", pkcs1_of(key_.get()));
}

unsigned Recipient::bits() const {
  return static_cast<unsigned>(EVP_PKEY_get_bits(key_.get()));
}

base::Result<base::Bytes> Recipient::encrypt(base::ByteView plaintext,
                                             OaepHash hash) const {
  ASSIGN_OR_RETURN(const KeyOperation operation,
                   start_oaep(key_.get(), OaepUse::kEncrypt, hash));
  base::Bytes encrypted(modulus_size());
  std::size_t size = encrypted.size();
  if (EVP_PKEY_encrypt(operation.get(),
                       reinterpret_cast<unsigned char*>(encrypted.data()), &size,
                       octets(plaintext), plaintext.size()) != 1) {
    return base::Error(base::ErrorCode::kIo, "cannot encrypt to a recipient")
        .at("recipient", id_.hex())
        .because(take_openssl_error());
  }
  encrypted.resize(size);
  return encrypted;
}

base::Status Recipient::verify(base::ByteView message, base::ByteView signature) const {
  const DigestState state(EVP_MD_CTX_new());
  RETURN_IF_ERROR(start_pss(state.get(), key_.get(), PssUse::kVerify));
  if (EVP_DigestVerify(state.get(), octets(signature), signature.size(),
                       octets(message), message.size()) != 1) {
    ERR_clear_error();
    return base::Error(base::ErrorCode::kCorrupt,
                       "the signature does not fit what it is said to sign")
        .at("recovery key", id_.hex());
  }
  return base::Done{};
}

}  // namespace sealift::keyvault
