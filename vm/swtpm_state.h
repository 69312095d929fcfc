// The vTPM state files that swtpm writes, and whether a key opens them.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "keyvault/secret.h"

namespace sealift::vm {

/// swtpm's blob header and TLVs. docs/format/swtpm-state.md; swtpm
/// src/swtpm/swtpm_nvstore.c.
struct SwtpmState {
  bool is_encrypted = false;
  bool has_256_bit_key = false;
  std::uint64_t payload_size = 0;  ///< Bytes of (encrypted) data.
};

/// errors  kCorrupt: not a state file of version 2, truncated, or malformed.
base::Result<SwtpmState> parse_swtpm_state(base::ByteView file);

/// Proves that `protection_key` (the raw bytes of the libvirt secret) opens `file`:
/// HMAC-SHA-256 over ciphertext and IV under PBKDF2-HMAC-SHA-512(key, "swtpm", 1000).
/// Nothing is decrypted.
///
/// errors  kWrongKey: it does not; if only the value without a trailing newline would,
///         the error says so.  kRefused: the state is not encrypted.  kCorrupt.
base::Status prove_key_opens(const keyvault::Secret& protection_key,
                             base::ByteView file);

}  // namespace sealift::vm
