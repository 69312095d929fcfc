// The small files of a VM, read while it stands still.
#pragma once

#include <vector>

#include "vm/capture.h"

namespace sealift::vm {

/// NVRAM and every regular file of the vTPM's state folder but swtpm's lock, none of
/// them through a symlink.
///
/// errors  kIo: a file is missing or cannot be read; names VM, component and file. The
///         state folder of a VM that was never started may be missing.
base::Result<std::vector<CapturedFile>> read_state_files(const VmDescription& vm);

/// "domain.xml" and, if it runs, "domain-active.xml", as libvirt has them now.
/// errors  kHypervisor.
base::Result<std::vector<CapturedFile>> read_definitions(const Domain& domain);

}  // namespace sealift::vm
