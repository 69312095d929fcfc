// A disk read from its image files: of a VM that is off, or a layer that nobody writes.
#pragma once

#include <memory>
#include <optional>

#include "vm/connection.h"
#include "vm/description.h"
#include "vm/disk_source.h"

namespace sealift::vm {

/// Raw images by themselves, others and those on the network through qemu-nbd; no lock
/// is taken. They are opened by what reads first, whose errors name them.
/// `bitmap`  Of the image's dirty bitmaps the one that says what changed; empty: none.
/// `key`  Of a network disk's user, if it has one.
std::unique_ptr<DiskSource> open_image_files(const Disk& disk,
                                             const std::string& bitmap = {},
                                             std::optional<keyvault::Secret> key = {});

/// The same, with the key that libvirt has for it.
/// errors  as read_rbd_key().
base::Result<std::unique_ptr<DiskSource>> open_image_files(
    const Connection& connection, const Disk& disk, const std::string& bitmap = {});

/// Bytes that a guest sees of a network disk that no VM has open.
/// errors  kRefused: its key cannot be read.  kIo: it cannot be reached, in 30 s.
base::Result<std::uint64_t> measure_image(const Connection& connection,
                                          const Disk& disk);

}  // namespace sealift::vm
