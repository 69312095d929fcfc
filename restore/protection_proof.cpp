#include "restore/protection_proof.h"

#include <algorithm>

#include "keyvault/protection_key.h"
#include "restore/snapshot_contents.h"
#include "vm/swtpm_state.h"

namespace sealift::restore {

namespace {

// The key file's text, by its member.
base::Result<std::string> text_of(const archive::SnapshotReader& reader,
                                  const std::string& member) {
  for (const auto& [name, text] : reader.protection_keys()) {
    if (name == member) return text;
  }
  return base::Error(base::ErrorCode::kCorrupt,
                     "the manifest names a protection-key file that is not there")
      .at("member", member);
}

base::Result<ProtectionProof> does_not_open(base::Error failure) {
  ProtectionProof proof;
  proof.state = StateProof::kDoesNotOpen;
  proof.failure = std::move(failure);
  return proof;
}

// The key for `identity`, tried on nothing yet: kNoState, or why there is none.
base::Result<ProtectionProof> unwrap_key(const archive::SnapshotReader& reader,
                                         const keyvault::RecoveryKey& identity) {
  const auto& keys = reader.manifest().protection_keys;
  ProtectionProof proof;
  proof.state = StateProof::kNoKey;
  if (keys.empty()) return proof;
  const auto entry = std::ranges::find(keys, identity.recipient().id(),
                                       &archive::ProtectionKeyEntry::recipient);
  proof.state = StateProof::kNotForIdentity;
  if (entry == keys.end()) return proof;
  ASSIGN_OR_RETURN(const std::string text, text_of(reader, entry->member));
  base::Result<keyvault::KeyJson> json = keyvault::parse_key_json(base::as_bytes(text));
  if (!json) return std::move(json).error().at("member", entry->member);
  base::Result<keyvault::UnwrappedProtectionKey> unwrapped =
      keyvault::unwrap_protection_key(json.value(), identity);
  if (!unwrapped) {
    return does_not_open(std::move(unwrapped).error().at("member", entry->member));
  }
  proof.state = StateProof::kNoState;
  proof.key = std::move(unwrapped.value().key);
  proof.entry = *entry;
  return proof;
}

}  // namespace

base::Result<ProtectionProof> prove_protection_key(
    const archive::SnapshotReader& reader, const keyvault::RecoveryKey& identity) {
  const archive::Manifest& manifest = reader.manifest();
  const auto is_state = [](const archive::Component& component) {
    return component.kind == "guest-state";
  };
  if (std::ranges::none_of(manifest.components, is_state)) {
    if (manifest.protection_keys.empty()) return ProtectionProof{};
    return unwrap_key(reader, identity);
  }
  const auto permanent = std::ranges::find_if(
      manifest.components, [&is_state](const archive::Component& component) {
        return is_state(component) && component.name == kPermanentState;
      });
  if (permanent == manifest.components.end()) {
    return does_not_open(base::Error(base::ErrorCode::kRefused,
                                     "the snapshot's guest state has no permanent part")
                             .at("component", kPermanentState));
  }
  ASSIGN_OR_RETURN(const base::Bytes state, read_component(reader, *permanent));
  base::Result<vm::SwtpmState> parsed = vm::parse_swtpm_state(state);
  if (!parsed) return does_not_open(std::move(parsed).error());

  if (!parsed.value().is_encrypted) {
    ProtectionProof open;
    open.state = StateProof::kNotEncrypted;
    return open;
  }
  ASSIGN_OR_RETURN(ProtectionProof proof, unwrap_key(reader, identity));
  if (proof.state != StateProof::kNoState) return proof;
  base::Status proved = vm::prove_key_opens(proof.key, state);
  if (!proved) return does_not_open(std::move(proved).error());
  proof.state = StateProof::kOpens;
  return proof;
}

}  // namespace sealift::restore
