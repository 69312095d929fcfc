// One backup of a VM at a time on this host.
#pragma once

#include "base/file_descriptor.h"
#include "base/result.h"
#include "base/uuid.h"
#include "keyvault/vault.h"

namespace sealift::backup {

/// Held until it dies, also by kill -9.
using VmLock = base::FileDescriptor;

/// The lock lies in the key vault's folder, which every run of this host shares.
/// errors  kBusy: another run has the VM.  kIo.
base::Result<VmLock> lock_vm(const keyvault::KeyVault& vault, const base::Uuid& vm);

}  // namespace sealift::backup
