// What a Hyper-V VM's configuration says of it. docs/format/hyperv-storage.md, 5.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "vm/hyperv_storage.h"

namespace sealift::vm {

/// A place of a controller that something is put into.
struct HypervDrive {
  std::string controller;   ///< "_d422512d-…_/controller0".
  unsigned location = 0;    ///< Of the drive on its controller.
  std::string type;         ///< "VHD", "ISO", "VFD".
  std::string source_path;  ///< On the source, as Windows writes it.
};

struct HypervConfiguration {
  base::Uuid id;
  std::string name;
  std::optional<std::int64_t> version;  ///< major × 256 + minor.
  unsigned generation = 1;
  std::optional<bool> has_secure_boot;  ///< Not said in generation 1.
  std::optional<base::Uuid> bios_id;
  std::string guest_state_path;  ///< On the source; empty if none is said.
  std::vector<HypervDrive> drives;
  std::int64_t checkpoints = 0;
  bool is_merge_pending = false;
};

/// Of the root of a .vmcx.
/// errors  kCorrupt: there is no VM in it, or its ids contradict each other.
base::Result<HypervConfiguration> describe_hyperv(const StorageKey& root);

/// Whether the root of a .VMRS holds the VM's memory.
bool has_saved_memory(const StorageKey& root);

/// "12.0" of 3072.
std::string configuration_version(std::int64_t version);

/// The last part of a path as Windows or Unix writes it.
std::string_view name_in_path(std::string_view path);

}  // namespace sealift::vm
