#include "restore/places.h"

#include <set>
#include <string>
#include <string_view>

#include "base/uuid.h"
#include "restore/snapshot_contents.h"
#include "vm/definition_value.h"

namespace sealift::restore {

namespace {

namespace fs = std::filesystem;

base::Error not_ours(std::string what, const archive::Component& component) {
  return base::Error(base::ErrorCode::kCorrupt, std::move(what))
      .at("component", component.kind + " " + component.name);
}

// "data.raw" and "data.img" become "data.qcow2": that is what the new image is.
std::string as_qcow2(std::string name) {
  constexpr std::string_view kExtension = ".qcow2";
  for (const std::string_view other : {".raw", ".img"}) {
    if (name.size() > other.size() && name.ends_with(other)) {
      name.resize(name.size() - other.size());
      break;
    }
  }
  if (!name.ends_with(kExtension)) name += kExtension;
  return name;
}

std::string disk_file_name(const archive::Component& disk, const std::string& vm_uuid,
                           const std::set<std::string>& taken) {
  const auto path = disk.attributes.find("path");
  if (path != disk.attributes.end()) {
    std::string name = as_qcow2(fs::path(path->second).filename().string());
    if (vm::is_safe_file_name(name) && !taken.contains(name)) return name;
  }
  return vm_uuid + "-" + disk.name + ".qcow2";
}

std::string nvram_file_name(const archive::Manifest& manifest) {
  const std::string name = manifest.vm_name + "_VARS.fd";
  return vm::is_safe_file_name(name) ? name : manifest.vm_uuid + "_VARS.fd";
}

base::Status place_disk(const archive::Manifest& manifest,
                        const archive::Component& disk, std::set<std::string>& taken,
                        Places& places) {
  if (!vm::is_safe_file_name(disk.name)) return not_ours("a disk's name is none", disk);
  const std::string name = disk_file_name(disk, manifest.vm_uuid, taken);
  if (!taken.insert(name).second) return not_ours("a disk stands twice", disk);
  places.disks.push_back({disk, places.storage_folder / name});
  return base::Done{};
}

base::Status place_guest_state(const archive::Manifest& manifest,
                               const archive::Component& state,
                               const vm::TargetHost& host, Places& places) {
  if (!vm::is_safe_file_name(state.name)) {
    return not_ours("a guest state's name is none", state);
  }
  places.state_folder = host.swtpm_directory / manifest.vm_uuid;
  places.guest_state.push_back({state, places.state_folder / "tpm2" / state.name});
  return base::Done{};
}

}  // namespace

base::Result<Places> choose_places(const archive::Manifest& manifest,
                                   const vm::DefinitionFacts& facts,
                                   const vm::TargetHost& host,
                                   const std::optional<fs::path>& storage_directory) {
  if (!base::Uuid::is_uuid(manifest.vm_uuid)) {
    return base::Error(base::ErrorCode::kCorrupt, "the VM's UUID is none")
        .at("uuid", manifest.vm_uuid);
  }
  Places places;
  places.storage_folder =
      fs::absolute(storage_directory.value_or(host.image_directory)).lexically_normal();
  if (places.storage_folder.filename().empty()) {
    places.storage_folder = places.storage_folder.parent_path();
  }
  std::set<std::string> taken;
  for (const archive::Component& component : manifest.components) {
    if (component.kind == "disk") {
      RETURN_IF_ERROR(place_disk(manifest, component, taken, places));
    } else if (component.kind == "firmware-vars") {
      if (places.nvram) return not_ours("the VM has two NVRAM files", component);
      places.nvram = component;
    } else if (component.kind == "guest-state") {
      RETURN_IF_ERROR(place_guest_state(manifest, component, host, places));
    }
  }
  // A vTPM without the NVRAM it was used with would not unlock: no place, a blocker.
  const bool was_never_started = facts.has_nvram && places.guest_state.empty() &&
                                 archive::is_said_absent(manifest, "firmware-vars");
  if (places.nvram || was_never_started) {
    places.nvram_path = host.nvram_directory / nvram_file_name(manifest);
  }
  return places;
}

vm::DefinitionPlaces definition_places(const Places& places, const vm::TargetHost& host,
                                       const std::set<std::string>& allowed_elements) {
  vm::DefinitionPlaces result;
  for (const PlacedComponent& disk : places.disks) {
    result.disks[disk.component.name] = {disk.path, "qcow2"};
  }
  result.nvram = places.nvram_path;
  result.emulators = host.emulators;
  result.allowed_elements = allowed_elements;
  return result;
}

}  // namespace sealift::restore
