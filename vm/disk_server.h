// The NBD server of a QEMU whose disks are pulled, from outside of it.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "base/result.h"

namespace sealift::vm {

/// How many connections the server that listens at `socket` has, by the kernel's list,
/// those that it has not accepted yet too. Nothing: no such server is seen from here
/// (the list is that of our network namespace).
std::optional<std::size_t> count_connections(const std::filesystem::path& socket);

/// Lets nobody else connect to `socket`, and waits until QEMU has closed every
/// connection there is: ours, those of the dead, those of others. Only then may the job
/// end (see HeldConnections).
/// errors  kHypervisor: some are left after `limit`.
base::Status wait_until_nobody_reads(const std::filesystem::path& socket,
                                     std::chrono::milliseconds limit);

}  // namespace sealift::vm
