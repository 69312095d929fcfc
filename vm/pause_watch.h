// How long a guest stood still, by QEMU's own clock.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "vm/connection.h"

namespace sealift::vm {

/// Listens for QEMU's STOP and RESUME events, which carry the time they happened.
/// Threads  One at a time; events arrive on libvirt's event loop.
class PauseWatch {
 public:
  /// errors  kHypervisor: libvirt does not tell.
  static base::Result<std::unique_ptr<PauseWatch>> start(const Connection& connection,
                                                         const Domain& domain);
  virtual ~PauseWatch() = default;

  /// From the last STOP to the RESUME after it; none if they did not come within
  /// `limit` from now.
  virtual std::optional<std::chrono::microseconds> wait_for_pause(
      std::chrono::milliseconds limit) = 0;
};

}  // namespace sealift::vm
