// SHA-256 and what is built on it: HMAC and HKDF.
#pragma once

#include <initializer_list>
#include <string_view>

#include "base/bytes.h"
#include "base/digest_id.h"
#include "base/result.h"
#include "keyvault/openssl_handle.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

/// A SHA-256 of something that has no type of its own.
using Sha256Digest = base::DigestId<struct Sha256Meaning>;

/// SHA-256 of the concatenation of `parts`.
Sha256Digest sha256(std::initializer_list<base::ByteView> parts);
inline Sha256Digest sha256(base::ByteView bytes) { return sha256({bytes}); }

/// SHA-256 of bytes that arrive in pieces. One thread at a time.
class Sha256 {
 public:
  Sha256();
  void update(base::ByteView bytes);
  /// The digest of all bytes so far. Called once; update() is not called after it.
  Sha256Digest finish();

 private:
  DigestState state_;
};

/// HMAC-SHA-256 (RFC 2104) under one key, ready for many messages. Each thread uses its
/// own: copy with another create().
class HmacSha256 {
 public:
  /// `key` of any size from 1 byte.
  static base::Result<HmacSha256> create(const Secret& key);

  /// HMAC of the concatenation of `parts`.
  Sha256Digest of(std::initializer_list<base::ByteView> parts);

 private:
  explicit HmacSha256(MacState state) : state_(std::move(state)) {}
  MacState state_;
};

/// HKDF-SHA-256 (RFC 5869), extract and expand.
///
/// key   input key material, 1 byte or more.   salt  may be empty.
/// size  1 to 8160 bytes.
base::Result<Secret> hkdf_sha256(const Secret& key, base::ByteView salt,
                                 std::string_view info, std::size_t size);

/// Names a 32-byte key and commits to it: HKDF-SHA-256(key, no salt, "sealift 1 key
/// id"). AES-GCM alone lets one ciphertext open under two keys; a key id does not.
using KeyId = base::DigestId<struct KeyMeaning>;
base::Result<KeyId> key_id_of(const Secret& key);

}  // namespace sealift::keyvault
