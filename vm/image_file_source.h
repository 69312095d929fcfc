// A disk read from its image files: of a VM that is off, or a layer that nobody writes.
#pragma once

#include <memory>

#include "vm/description.h"
#include "vm/disk_source.h"

namespace sealift::vm {

/// Raw images by themselves, qcow2 through qemu-nbd; no lock is taken. The files are
/// opened by the first read_allocated(), whose errors name them.
std::unique_ptr<DiskSource> open_image_files(const Disk& disk);

}  // namespace sealift::vm
