// The protection key: the value of a libvirt secret of usage `vtpm`.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/uuid.h"
#include "keyvault/secret.h"
#include "vm/connection.h"

namespace sealift::vm {

struct VtpmSecret {
  base::Uuid uuid;
  std::string usage;  ///< The usage name.
  std::string description;
  bool is_private = false;
  bool is_ephemeral = false;
  keyvault::Secret value;  ///< Every byte counts.
};

/// Reads the value through libvirt; a private one as root from libvirt's own store
/// (/etc/libvirt/secrets/UUID.base64); or from `file`, whose every byte counts.
///
/// errors  kNotFound: no such secret.  kRefused: private, and neither this user nor
///         `file` gives it (next: --vtpm-secret-file).  kHypervisor, kIo.
base::Result<VtpmSecret> read_vtpm_secret(
    const Connection& connection, const base::Uuid& uuid,
    const std::optional<std::filesystem::path>& file);

/// What a target already has under that UUID or usage name.
enum class SecretOnTarget { kAbsent, kSameValue, kOtherValue, kNoValue, kUnreadable };
base::Result<SecretOnTarget> compare_secret(const Connection& connection,
                                            const VtpmSecret& secret);

/// Defines the secret (not private, not ephemeral unless it was) and sets its value.
/// errors  kHypervisor: nothing is left defined.
base::Status define_secret(const Connection& connection, const VtpmSecret& secret);
base::Status undefine_secret(const Connection& connection, const base::Uuid& uuid);

}  // namespace sealift::vm
