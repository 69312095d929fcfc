// The QEMU that runs a VM, which may be older than the installed one.
#pragma once

#include <string>

#include "vm/connection.h"

namespace sealift::vm {

struct QemuVersion {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned micro = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): takes the operator for a literal
  friend auto operator<=>(const QemuVersion&, const QemuVersion&) = default;
};

/// From here on a pull-mode backup cannot kill a guest whose disk has an iothread
/// (CVE-2024-7409's backports can; facts: upstream commits f816310d0c32, 9c707525cbb1).
/// A distribution's lower number proves nothing, so it counts as unsafe.
constexpr QemuVersion kFirstSafeWithIothreads{8, 2, 3};

/// The last "qemu version: " in a domain's log; none found gives 0.0.0.
QemuVersion read_version_from_log(const std::string& log);

/// From the domain's log; 0.0.0, the oldest, when it does not say.
QemuVersion running_qemu_version(const Domain& domain);

}  // namespace sealift::vm
