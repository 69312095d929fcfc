// What a wrapped key should be, and whether it is: as far as its length tells before it
// is opened, and by what it is afterwards. docs/format/key-json.md, rules J8 and J9.
#pragma once

#include <string>
#include <string_view>

#include "keyvault/protection_key.h"

namespace sealift::keyvault {

/// The only keys that a key vault of Trusted Launch VMs holds.
constexpr unsigned kVmKeyBits = 256;  ///< A VM's: AES.
/// The attestation root key of a cluster's Trusted Launch VMs: RSA.
constexpr std::string_view kAttestationRootKey = "AzureStackTvmAKRootKey";
constexpr unsigned kRootKeyBits = 4096;

/// What the name of a key's file says: "NAME_256" is a key of 256 bits. A name may have
/// a '_' of its own.
struct KeyFileName {
  std::string name;
  unsigned bits = 0;  ///< 0: not said.
};
KeyFileName read_key_file_name(std::string_view stem);

enum class KeyKind {
  kAny,     ///< libvirt's may be anything.
  kVault,   ///< Of a key vault: one of the other two.
  kAes256,  ///< 32 bytes.
  kRsa,     ///< A private key, PKCS#8 or PKCS#1.
};

struct ExpectedKey {
  KeyKind kind = KeyKind::kAny;
  unsigned bits = 0;  ///< Of kRsa; 0: any.
};

/// Of a file `stem`.json. One that does not say what it is, and was wrapped as Sealift
/// does not wrap, is of a key vault.
ExpectedKey expected_key(std::string_view stem, const KeyJson& json);

/// The key that it says it is wrapped to.
/// errors  kCorrupt: it says none (J8).
base::Result<Recipient> wrapping_key_of(const KeyJson& json);

/// The bytes behind the envelope; of one that is cut off none.
std::size_t wrapped_size(const KeyJson& json, const Recipient& wrapping_key);

/// Before it is opened.
/// errors  kCorrupt: it is cut off (J8), or has not the length that it should (J9).
base::Status check_wrapped_key(const KeyJson& json, const Recipient& wrapping_key,
                               const ExpectedKey& expected);

/// errors  kCorrupt: it is another key than expected (J9). Nothing of it is said but
///         its size.
base::Status check_opened_key(const Secret& key, const ExpectedKey& expected);

}  // namespace sealift::keyvault
