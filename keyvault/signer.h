// Ed25519: who made an archive or a record.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/digest_id.h"
#include "base/result.h"
#include "keyvault/openssl_handle.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

/// SHA-256 of the SubjectPublicKeyInfo DER.
using SignerId = base::DigestId<struct SignerMeaning>;
constexpr std::size_t kSignatureSize = 64;
using Signature = std::array<std::byte, kSignatureSize>;

/// A value; read only, so any thread may use it.
class SignerPublicKey {
 public:
  /// PEM "PUBLIC KEY". errors  kUsage: not an Ed25519 public key.
  static base::Result<SignerPublicKey> parse_pem(base::ByteView pem);
  static base::Result<SignerPublicKey> parse_spki(base::ByteView der);

  const SignerId& id() const noexcept { return id_; }
  const base::Bytes& spki() const noexcept { return spki_; }
  std::string pem() const;

  /// Pure Ed25519 (RFC 8032) over `message`.
  /// errors  kCorrupt: `signature` is not 64 bytes, or does not fit.
  base::Status verify(base::ByteView message, base::ByteView signature) const;

 private:
  friend class SigningKey;
  static base::Result<SignerPublicKey> from_key(KeyPair key);
  std::shared_ptr<EVP_PKEY> key_;
  base::Bytes spki_;
  SignerId id_;
};

/// The private half. Read only; any thread.
class SigningKey {
 public:
  static base::Result<SigningKey> generate();
  /// From 32 bytes, as test vectors give it.
  static base::Result<SigningKey> from_seed(const Secret& seed);
  /// PKCS#8 PEM without passphrase. errors  kUsage: not an Ed25519 private key.
  static base::Result<SigningKey> parse_pem(const Secret& pem);
  base::Result<Secret> to_pem() const;

  const SignerPublicKey& public_key() const noexcept { return public_key_; }
  base::Result<Signature> sign(base::ByteView message) const;

 private:
  static base::Result<SigningKey> from_pair(KeyPair key);
  SigningKey(KeyPair key, SignerPublicKey public_key)
      : key_(std::move(key)), public_key_(std::move(public_key)) {}
  KeyPair key_;
  SignerPublicKey public_key_;
};

}  // namespace sealift::keyvault
