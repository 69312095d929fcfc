// The value of a libvirt secret.
#pragma once

#include <filesystem>
#include <optional>

#include "base/uuid.h"
#include "keyvault/secret.h"
#include "vm/connection.h"

namespace sealift::vm {

/// None: libvirt has no such secret. errors  kHypervisor.
base::Result<std::optional<SecretHandle>> find_secret(const Connection& connection,
                                                      const base::Uuid& uuid);

/// None: it is private, or has no value. errors  kHypervisor.
base::Result<std::optional<keyvault::Secret>> value_from_libvirt(
    const SecretHandle& secret);

/// From libvirt's own store (/etc/libvirt/secrets/UUID.base64), which root may read.
/// errors  kNotFound, kIo, kCorrupt: names the file.
base::Result<keyvault::Secret> value_from_store(const base::Uuid& uuid);

/// Every byte of `path` counts, which may be a pipe. errors  kNotFound, kIo, kRefused:
/// it is empty or too large.
base::Result<keyvault::Secret> value_from_file(const std::filesystem::path& path);

}  // namespace sealift::vm
