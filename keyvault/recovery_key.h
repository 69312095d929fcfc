// RSA keys that open archives: the recovery key, and its public half, the recipient.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/digest_id.h"
#include "base/filesystem.h"
#include "base/result.h"
#include "keyvault/openssl_handle.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

/// SHA-256 of the SubjectPublicKeyInfo DER, also for keys that came as PKCS#1.
using RecipientId = base::DigestId<struct RecipientMeaning>;

enum class OaepHash { kSha1, kSha256, kSha384 };
/// "SHA-256".
const char* name_of(OaepHash hash);

/// The public half of a recovery key (or of a cluster's wrapping key). A value; shared
/// and read only, so any thread may use it.
class Recipient {
 public:
  /// PEM: "PUBLIC KEY" (SPKI) or "RSA PUBLIC KEY" (PKCS#1). 2048 to 16384 bits.
  /// errors  kUsage: not such a key; a private key is refused by name.
  static base::Result<Recipient> parse_pem(base::ByteView pem);
  /// errors  as parse_pem().
  static base::Result<Recipient> parse_spki(base::ByteView der);
  static base::Result<Recipient> parse_pkcs1(base::ByteView der);

  const RecipientId& id() const noexcept { return id_; }
  /// SubjectPublicKeyInfo DER.
  const base::Bytes& spki() const noexcept { return spki_; }
  /// RSAPublicKey DER (RFC 8017, A.1.1).
  base::Result<base::Bytes> pkcs1() const;
  std::string spki_pem() const;
  std::string pkcs1_pem() const;
  unsigned bits() const;
  /// Modulus length, which is also the length of what encrypt() returns.
  std::size_t modulus_size() const { return (bits() + 7) / 8; }

  /// RSA-OAEP (RFC 8017), MGF1 with the same hash, empty label.
  base::Result<base::Bytes> encrypt(base::ByteView plaintext, OaepHash hash) const;

  /// RSA-PSS, SHA-256, MGF1-SHA-256, salt of 32 bytes.
  /// errors  kCorrupt: the signature does not fit.
  base::Status verify(base::ByteView message, base::ByteView signature) const;

 private:
  friend class RecoveryKey;
  static base::Result<Recipient> from_key(KeyPair key);
  std::shared_ptr<EVP_PKEY> key_;
  base::Bytes spki_;
  RecipientId id_;
};

/// Where a passphrase comes from: called at most once, when the key turns out to be
/// encrypted. Returns kWrongKey when there is none to be had.
using PassphraseSource = std::function<base::Result<Secret>()>;

/// The first line of `path`, without its line end.
PassphraseSource passphrase_from_file(std::filesystem::path path);

/// The RSA private key. Never on a host that backs up. Read only; any thread.
class RecoveryKey {
 public:
  /// `bits` is 2048, 3072 or 4096.
  static base::Result<RecoveryKey> generate(unsigned bits);

  /// A PEM file: PKCS#8, encrypted or not, or PKCS#1.
  /// errors  kNotFound: no such file.  kWrongKey: no passphrase, or a wrong one.
  ///         kUsage: not an RSA private key; a public key is refused by name.
  static base::Result<RecoveryKey> load(const std::filesystem::path& path,
                                        const PassphraseSource& passphrase);

  /// PKCS#8 PEM. With a passphrase PBES2: scrypt N=16384, r=8, p=16, AES-256-CBC, the
  /// most that stock OpenSSL 3.0 opens.
  base::Result<Secret> to_pem(const Secret* passphrase) const;

  const Recipient& recipient() const noexcept { return recipient_; }

  /// errors  kWrongKey: it was not encrypted to this key, or is damaged.
  base::Result<Secret> decrypt(base::ByteView encrypted, OaepHash hash) const;

  /// RSA-PSS as Recipient::verify() wants it.
  base::Result<base::Bytes> sign(base::ByteView message) const;

 private:
  static base::Result<RecoveryKey> from_pair(KeyPair key);
  RecoveryKey(KeyPair key, Recipient recipient)
      : key_(std::move(key)), recipient_(std::move(recipient)) {}
  KeyPair key_;
  Recipient recipient_;
};

}  // namespace sealift::keyvault
