// What libvirt is asked for: a pull-mode backup, a checkpoint.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sealift::vm {

struct PulledDisk {
  std::string target;
  std::filesystem::path scratch;
  std::string since;  ///< The checkpoint from which changes are wanted; empty: none.
};

/// The bitmap of what changed on a disk that libvirt lets QEMU export beside it.
std::string exported_bitmap(const std::string& target);

/// `others`  The VM's disks and drives that are not read this way.
std::string backup_xml(const std::filesystem::path& socket,
                       const std::vector<PulledDisk>& disks,
                       const std::vector<std::string>& others);

enum class CheckpointState {
  kNew,
  kForgotten,  ///< Its bitmaps are there, and libvirt is to know of it again.
};

/// `with`     Disks that get, or have, a bitmap.
/// `without`  All others, and drives.
std::string checkpoint_xml(const std::string& name,
                           const std::vector<std::string>& with,
                           const std::vector<std::string>& without,
                           CheckpointState state = CheckpointState::kNew);

}  // namespace sealift::vm
