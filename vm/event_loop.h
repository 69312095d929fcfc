// libvirt's event loop, which a process has once.
#pragma once

#include "base/result.h"

namespace sealift::vm {

/// From now on libvirt's events are delivered, on a thread of their own that ends with
/// the process. Before the first connection that wants events; later calls do nothing.
/// Once there is a loop it has to run: the daemon's keepalive messages are answered by
/// it, and a daemon that gets no answer for 30 s ends the connection.
///
/// errors  kHypervisor: libvirt has no event loop.
/// Threads  From any.
base::Status run_event_loop();

}  // namespace sealift::vm
