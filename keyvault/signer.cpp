#include "keyvault/signer.h"

#include <openssl/x509.h>

#include "keyvault/digest.h"
#include "keyvault/pem.h"
#include "keyvault/pkcs8.h"
#include "keyvault/public_key_der.h"

namespace sealift::keyvault {

namespace {

constexpr std::size_t kSeedSize = 32;

const unsigned char* octets(base::ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

base::Error refused(std::string what) {
  return base::Error(base::ErrorCode::kIo, std::move(what))
      .because(take_openssl_error());
}

}  // namespace

base::Result<SignerPublicKey> SignerPublicKey::parse_pem(base::ByteView pem) {
  ASSIGN_OR_RETURN(const PemBlock block, read_pem(pem));
  if (block.label != "PUBLIC KEY") {
    return base::Error(base::ErrorCode::kUsage, "not the public key of a signer")
        .at("PEM label", block.label)
        .next("name the file that `sealift keyvault export-signer` wrote");
  }
  return parse_spki(block.der.view());
}

base::Result<SignerPublicKey> SignerPublicKey::parse_spki(base::ByteView der) {
  ASSIGN_OR_RETURN(KeyPair key, key_from_spki(der));
  return from_key(std::move(key));
}

base::Result<SignerPublicKey> SignerPublicKey::from_key(KeyPair key) {
  if (EVP_PKEY_is_a(key.get(), "ED25519") != 1) {
    return base::Error(base::ErrorCode::kUsage,
                       "not the public key of a signer: it is no Ed25519 key");
  }
  SignerPublicKey signer;
  signer.spki_ = spki_of(key);
  signer.id_ = SignerId(sha256(signer.spki_).bytes());
  signer.key_ = std::move(key);
  return signer;
}

std::string SignerPublicKey::pem() const { return write_pem("PUBLIC KEY", spki_); }

base::Status SignerPublicKey::verify(base::ByteView message,
                                     base::ByteView signature) const {
  const DigestState state(EVP_MD_CTX_new());
  if (!state ||
      EVP_DigestVerifyInit(state.get(), nullptr, nullptr, nullptr, key_.get()) != 1) {
    return refused("cannot start Ed25519");
  }
  if (signature.size() != kSignatureSize ||
      EVP_DigestVerify(state.get(), octets(signature), signature.size(),
                       octets(message), message.size()) != 1) {
    ERR_clear_error();
    return base::Error(base::ErrorCode::kCorrupt,
                       "the signature does not fit what it is said to sign")
        .at("signer", id_.hex());
  }
  return base::Done{};
}

base::Result<SigningKey> SigningKey::generate() {
  ASSIGN_OR_RETURN(const Secret seed, Secret::random(kSeedSize));
  return from_seed(seed);
}

base::Result<SigningKey> SigningKey::from_seed(const Secret& seed) {
  if (seed.size() != kSeedSize) {
    return base::Error(base::ErrorCode::kUsage, "an Ed25519 seed has 32 bytes");
  }
  KeyPair key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                           octets(seed.view()), seed.size()));
  if (!key) return refused("cannot make an Ed25519 key");
  return from_pair(std::move(key));
}

base::Result<SigningKey> SigningKey::parse_pem(const Secret& pem) {
  ASSIGN_OR_RETURN(const PemBlock block, read_pem(pem.view()));
  if (block.label != "PRIVATE KEY") {
    return base::Error(base::ErrorCode::kUsage, "not a signing key in PKCS#8")
        .at("PEM label", block.label);
  }
  ASSIGN_OR_RETURN(KeyPair key, key_from_pkcs8(block.der.view()));
  return from_pair(std::move(key));
}

base::Result<SigningKey> SigningKey::from_pair(KeyPair key) {
  ASSIGN_OR_RETURN(KeyPair public_half, key_from_spki(spki_of(key)));
  ASSIGN_OR_RETURN(SignerPublicKey signer,
                   SignerPublicKey::from_key(std::move(public_half)));
  return SigningKey(std::move(key), std::move(signer));
}

base::Result<Secret> SigningKey::to_pem() const { return pkcs8_pem(key_); }

base::Result<Signature> SigningKey::sign(base::ByteView message) const {
  const DigestState state(EVP_MD_CTX_new());
  Signature signature{};
  std::size_t size = signature.size();
  if (!state ||
      EVP_DigestSignInit(state.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(state.get(), reinterpret_cast<unsigned char*>(signature.data()),
                     &size, octets(message), message.size()) != 1 ||
      size != signature.size()) {
    return refused("cannot sign");
  }
  return signature;
}

}  // namespace sealift::keyvault
