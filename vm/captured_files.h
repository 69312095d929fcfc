// The small files of a VM, read while it stands still.
#pragma once

#include <vector>

#include "vm/capture.h"

namespace sealift::vm {

struct StateFiles {
  std::vector<CapturedFile> files;
  std::vector<MissingPart> missing;  ///< Empty with Missing::kFails.
};

/// Whether `log` (QEMU's of this VM, kept by libvirt: it has the command line of every
/// start) names `path`: the vTPM's state folder, the NVRAM. A log that is gone says
/// nothing: false.
bool is_named_in(const std::filesystem::path& log, const std::filesystem::path& path);

/// NVRAM and every regular file of the vTPM's state folder but swtpm's lock, none of
/// them through a symlink. A VM that is off, has neither, and had none by QEMU's log,
/// was never started; its NVRAM alone may be there, made beforehand.
///
/// errors  kRefused: NVRAM or vTPM state is missing though the VM was started; names
///         component and file.  kIo: a file cannot be read.
base::Result<StateFiles> read_state_files(const VmDescription& vm, Missing missing);

/// A component's name has these characters only (docs/format/manifest.md), a file's may
/// have any: the others become "_". The whole path stands in the component's
/// attributes.
std::string component_name(const std::filesystem::path& path);

/// "domain.xml" and, if it runs, "domain-active.xml", as libvirt has them now.
/// errors  kHypervisor.
base::Result<std::vector<CapturedFile>> read_definitions(const Domain& domain);

/// That the definition among `files`, read at the instant, has the disks of `vm`.
/// errors  kBusy: one was plugged in or out meanwhile.  kHypervisor: the VM stopped.
base::Status check_disks_are(const VmDescription& vm,
                             const std::vector<CapturedFile>& files);

}  // namespace sealift::vm
