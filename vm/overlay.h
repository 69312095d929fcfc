// Disks that are read from a frozen image, under an overlay that takes the writes.
#pragma once

#include <string>
#include <vector>

#include "vm/capture_traces.h"
#include "vm/connection.h"
#include "vm/description.h"

namespace sealift::vm {

/// Makes the file of `overlay`, empty, above the image of `disk`, which may be in use.
/// errors  kIo.
base::Status make_overlay(const Overlay& overlay, const Disk& disk);

/// Makes an empty qcow2 image. errors  kIo.
base::Status make_image(const std::filesystem::path& path, std::uint64_t size);

/// Makes `overlays`, whose files are there, the active images of their disks, all at
/// once; what lies below is frozen. `targets` are all disks and drives of the VM.
/// errors  kHypervisor: nothing changed.
base::Status freeze_under_overlays(const Domain& domain,
                                   const std::vector<Overlay>& overlays,
                                   const std::vector<std::string>& targets);

/// Whether nothing is written to the base of `overlay`: the disk uses the overlay, and
/// no job merges it. A VM that is gone writes nothing.
/// errors  kHypervisor.
base::Result<bool> is_base_frozen(const Domain& domain, const Overlay& overlay);

/// Merges the overlay into its base, makes the base the active image again, removes the
/// overlay. One that is not in use is only removed. For a VM that is off, by qemu-img
/// and a new definition.
/// errors  kHypervisor, kIo: the overlay is still there and still in use.
base::Status commit_overlay(const Domain& domain, const Overlay& overlay);

}  // namespace sealift::vm
