// A VM's protection key, wrapped: the key JSON of Azure Local's Export-MocKey.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "keyvault/recovery_key.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

/// How Sealift wraps: "enc". A key vault may wrap so, too.
constexpr std::string_view kOurEncoding = "RSA_AES_KEY_WRAP_256";

/// What a key JSON says. docs/format/key-json.md.
struct KeyJson {
  std::string encoding;  ///< "enc": CKM_RSA_AES_KEY_WRAP, RSA_AES_KEY_WRAP_256, ...
  std::string wrapping_key_name;  ///< May be empty.
  base::Bytes
      wrapping_key_pkcs1;  ///< Public half of the wrapping key, RSAPublicKey DER.
  base::Bytes wrapped;     ///< RSA-OAEP(ephemeral AES key) || AES-KWP(protection key).
  std::string member;      ///< Where that is: "private-key" or "public-key".
  bool is_ambiguous = false;  ///< The other of the two holds something else.
};

/// Reads a key JSON as found in the field: generic JSON, a byte order mark, UTF-16 and
/// CRLF tolerated, unknown members ignored.
/// errors  kCorrupt: not a key JSON, or damaged.  kRefused: NO_KEY_WRAP, which is a
///         plaintext key: treat that key as exposed.  kUnsupported: "enc" is unknown.
base::Result<KeyJson> parse_key_json(base::ByteView text);

/// Wraps `key` (1 byte to 64 KiB, any bytes) to `recipient` as RSA_AES_KEY_WRAP_256 and
/// writes exactly the members of Microsoft's SDK, in its order, on one line.
base::Result<std::string> wrap_protection_key(const Secret& key,
                                              const Recipient& recipient);

struct UnwrappedProtectionKey {
  Secret key;
  OaepHash hash;  ///< The variant that worked.
};

/// Tries the hash that `enc` implies, then the others: OAEP and KWP both authenticate,
/// so a wrong guess fails and cannot give a wrong key.
/// errors  kWrongKey: it is wrapped to another key, or damaged.
base::Result<UnwrappedProtectionKey> unwrap_protection_key(const KeyJson& json,
                                                           const RecoveryKey& identity);

struct RewrappedKey {
  std::string json;
  OaepHash hash;         ///< With which it was wrapped, and is again.
  std::size_t key_size;  ///< Bytes.
};

/// The key JSON `text`, wrapped to `target` instead of `identity`: its members, "enc"
/// and which of them holds the wrapped key stay as they were, on one line. The OAEP
/// hash is the one that opened it, whatever "enc" implies.
///
/// wrapping_key_name  Of `target` in the key vault it is imported to; may be empty.
/// check              Of the key once it is open; may be empty.
/// errors  as parse_key_json(), unwrap_protection_key() and `check`.
base::Result<RewrappedKey> rewrap_key_json(
    base::ByteView text, const RecoveryKey& identity, const Recipient& target,
    const std::string& wrapping_key_name,
    const std::function<base::Status(const Secret& key)>& check = {});

}  // namespace sealift::keyvault
