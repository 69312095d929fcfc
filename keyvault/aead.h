// AES-256-GCM under one key.
#pragma once

#include <array>

#include "base/bytes.h"
#include "base/result.h"
#include "keyvault/openssl_handle.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

constexpr std::size_t kGcmTagSize = 16;
using GcmNonce = std::array<std::byte, 12>;

/// NIST SP 800-38D. The caller never seals twice with one nonce under one key. Each
/// thread uses its own object.
class Aes256Gcm {
 public:
  /// `key` is 32 bytes.
  static base::Result<Aes256Gcm> create(const Secret& key);

  /// Writes ciphertext || tag: `sealed` is plaintext.size() + kGcmTagSize bytes.
  base::Status seal(const GcmNonce& nonce, base::ByteView additional,
                    base::ByteView plaintext, std::span<std::byte> sealed);

  /// `sealed` is ciphertext || tag; `plaintext` is kGcmTagSize bytes shorter.
  /// errors  kCorrupt: the tag does not fit; `plaintext` is wiped.
  base::Status open(const GcmNonce& nonce, base::ByteView additional,
                    base::ByteView sealed, std::span<std::byte> plaintext);

 private:
  Aes256Gcm(CipherState sealing, CipherState opening)
      : sealing_(std::move(sealing)), opening_(std::move(opening)) {}
  CipherState sealing_;
  CipherState opening_;
};

}  // namespace sealift::keyvault
