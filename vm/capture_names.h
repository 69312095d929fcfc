// The names of what a capture makes on a host, by which a later run knows them.
#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "base/bytes.h"
#include "base/uuid.h"
#include "keyvault/digest.h"
#include "vm/capture.h"

namespace sealift::vm {

/// Of one capture among all of a VM: 8 hexadecimal digits.
inline base::Result<std::string> draw_run_name() {
  std::array<std::byte, 4> random{};
  RETURN_IF_ERROR(keyvault::fill_random(random));
  return base::to_hex(random);
}

/// Files in the VM's own folder; short, because a socket's path has at most 107 bytes.
constexpr const char* kFilePrefix = "sealift-";

/// Files of the VM in a folder that VMs share.
inline std::string shared_file_prefix(const base::Uuid& vm) {
  const std::string text = vm.text();
  return kFilePrefix + keyvault::sha256(base::as_bytes(text)).hex().substr(0, 12) + "-";
}

/// Where the overlays of block devices go.
inline std::filesystem::path shared_overlay_folder(const CaptureOptions& options) {
  return options.scratch_directory.value_or("/var/lib/libvirt/images");
}

constexpr const char* kMarkSuffix = ".paused";
constexpr const char* kFrozenSuffix = ".frozen";

}  // namespace sealift::vm
