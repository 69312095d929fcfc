// The folder that libvirt keeps for a running VM, and our lock on it.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "vm/connection.h"

namespace sealift::vm {

/// /var/lib/libvirt/qemu/domain-ID-NAME, which libvirt's AppArmor profile lets QEMU
/// write to and which goes when the VM stops.
/// errors  kHypervisor: the VM is off.  kIo: there is no such folder, or it cannot be
///         read by this user.
base::Result<std::filesystem::path> find_domain_folder(const Domain& domain);

/// Keeps other runs away from the VM, without a file that could be left behind: a lock
/// on the folder itself, held until every copy of the descriptor is closed.
/// errors  kBusy: another run, or the guard of one, still holds it after `patience`.
base::Result<base::FileDescriptor> lock_domain_folder(
    const std::filesystem::path& folder, std::chrono::milliseconds patience);

/// The entries of `folder` whose names begin with `prefix`. errors  kIo.
base::Result<std::vector<std::filesystem::path>> list_files(
    const std::filesystem::path& folder, const std::string& prefix);

}  // namespace sealift::vm
