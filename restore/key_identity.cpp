#include "restore/key_identity.h"

#include <set>

namespace sealift::restore {

base::Error not_wrapped_to(const KeyIdentity& identity,
                           const archive::Manifest& manifest) {
  std::set<std::string> wanted;
  for (const archive::ProtectionKeyEntry& entry : manifest.protection_keys) {
    if (entry.usage == kOfVm) wanted.insert(entry.recipient.hex());
  }
  // Only the attestation's key lay in the key vault.
  for (const archive::ProtectionKeyEntry& entry : manifest.protection_keys) {
    if (wanted.empty()) wanted.insert(entry.recipient.hex());
  }
  base::Error error(
      base::ErrorCode::kWrongKey,
      "no protection key of the snapshot is wrapped to this recovery key");
  error.at("file", identity.file)
      .at("recovery key", identity.key->recipient().id().hex());
  for (const std::string& id : wanted) {
    error.next("name the recovery key with the id " + id + ": --key-identity KEY.pem");
  }
  return error;
}

}  // namespace sealift::restore
