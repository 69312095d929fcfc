// Where the parts of a VM go on the target.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "archive/manifest.h"
#include "vm/definition.h"
#include "vm/target_host.h"

namespace sealift::restore {

struct PlacedComponent {
  archive::Component component;
  std::filesystem::path path;
};

/// Every path lies directly in a folder of the target's, under a name that cannot lead
/// elsewhere.
struct Places {
  std::filesystem::path storage_folder;
  std::vector<PlacedComponent> disks;
  /// Where NVRAM goes, if the VM has any. Without a component libvirt makes it at the
  /// first start: the VM was never started on the source.
  std::filesystem::path nvram_path;
  std::optional<archive::Component> nvram;
  std::filesystem::path state_folder;  ///< .../swtpm/UUID; empty: there is no vTPM.
  std::vector<PlacedComponent> guest_state;  ///< In state_folder/tpm2.
};

/// Disks keep the name of their image where it is a safe one, and end in ".qcow2";
/// others are named after the VM's UUID and their target.
/// storage_directory  --storage-dir; without it the host's own folder of images.
/// errors  kCorrupt: the manifest names what no writer of ours would.
base::Result<Places> choose_places(
    const archive::Manifest& manifest, const vm::DefinitionFacts& facts,
    const vm::TargetHost& host,
    const std::optional<std::filesystem::path>& storage_directory);

/// The same for rebuild_definition().
vm::DefinitionPlaces definition_places(const Places& places, const vm::TargetHost& host,
                                       const std::set<std::string>& allowed_elements);

}  // namespace sealift::restore
