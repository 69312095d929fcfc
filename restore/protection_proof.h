// Does the protection key of a snapshot open its guest state?
#pragma once

#include <optional>

#include "archive/snapshot_reader.h"
#include "keyvault/secret.h"

namespace sealift::restore {

enum class StateProof {
  kNoVtpm,          ///< The snapshot holds no guest state: the VM has no vTPM.
  kNoState,         ///< None either, but a key to it: the VM was never started.
  kNotEncrypted,    ///< The guest state lies open; there is no key to it.
  kNoKey,           ///< It is encrypted, and the snapshot holds no protection key.
  kNotForIdentity,  ///< No protection-key file is wrapped to this recovery key.
  kDoesNotOpen,     ///< The protection key does not open it; see `failure`.
  kOpens,
};

/// The component that swtpm's permanent state lies in.
constexpr const char* kPermanentState = "tpm2-00.permall";

struct ProtectionProof {
  StateProof state = StateProof::kNoVtpm;
  keyvault::Secret key;  ///< Empty unless kOpens or kNoState.
  std::optional<archive::ProtectionKeyEntry> entry;
  std::optional<base::Error> failure;
};

/// Unwraps the protection key with the file for `identity` and tries it on the guest
/// state, offline: libvirt would silently make a new TPM where a state is missing.
/// errors  kCorrupt: a component or a key file is damaged.
base::Result<ProtectionProof> prove_protection_key(
    const archive::SnapshotReader& reader, const keyvault::RecoveryKey& identity);

}  // namespace sealift::restore
