#include "vm/hyperv_configuration.h"

#include <algorithm>
#include <charconv>

#include "vm/microsoft_guid.h"

namespace sealift::vm {

namespace {

constexpr std::string_view kStateDevice = "_917bd8cb-3bb6-4124-9383-b7d21ac07f79_";
constexpr std::string_view kFirmwareDevice = "_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_";

std::string text_at(const StorageKey& key, std::string_view path) {
  const auto* const text = key.get<std::string>(path);
  return text == nullptr ? "" : *text;
}

std::string below(std::string_view device, std::string_view name) {
  return std::string(device) + "/" + std::string(name);
}

/// 12 of "drive12", if `name` is of that form.
std::optional<unsigned> number_after(std::string_view name, std::string_view word) {
  if (!name.starts_with(word)) return std::nullopt;
  name.remove_prefix(word.size());
  unsigned number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  if (read.ec != std::errc() || read.ptr != name.data() + name.size()) {
    return std::nullopt;
  }
  return number;
}

void add_drives(const StorageKey& device, const StorageKey& controller,
                std::vector<HypervDrive>& drives) {
  for (const StorageKey& key : controller.children) {
    const auto location = number_after(key.name, "drive");
    if (!location) continue;
    HypervDrive drive{device.name + "/" + controller.name, *location,
                      text_at(key, "type"), text_at(key, "pathname")};
    if (!drive.source_path.empty()) drives.push_back(std::move(drive));
  }
}

base::Result<base::Uuid> find_id(const StorageKey& root) {
  const auto of_properties =
      guid_of_text(text_at(root, "configuration/properties/global_id"));
  const auto of_settings =
      guid_of_text(text_at(root, "configuration/settings/global/logical_id"));
  if (!of_properties && !of_settings) {
    return base::Error(base::ErrorCode::kCorrupt, "the configuration names no VM");
  }
  if (of_properties && of_settings && *of_properties != *of_settings) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "the configuration has two ids for its VM")
        .because(of_properties->text() + " and " + of_settings->text());
  }
  return of_properties ? *of_properties : *of_settings;
}

}  // namespace

base::Result<HypervConfiguration> describe_hyperv(const StorageKey& root) {
  HypervConfiguration found;
  ASSIGN_OR_RETURN(found.id, find_id(root));
  const StorageKey& all = *root.find("configuration");
  found.name = text_at(all, "properties/name");
  if (const auto* version = all.get<std::int64_t>("properties/version")) {
    found.version = *version;
  }
  if (const auto* subtype = all.get<std::int64_t>("properties/subtype")) {
    found.generation = *subtype == 1 ? 2 : 1;
  }
  if (const auto* is_on =
          all.get<bool>(below(kFirmwareDevice, "secure_boot_enabled"))) {
    found.has_secure_boot = *is_on;
  }
  found.bios_id = guid_of_text(text_at(all, below(kFirmwareDevice, "bios_guid")));
  found.guest_state_path = text_at(all, below(kStateDevice, "StateFilePath"));
  for (const StorageKey& device : all.children) {
    for (const StorageKey& controller : device.children) {
      if (number_after(controller.name, "controller")) {
        add_drives(device, controller, found.drives);
      }
    }
  }
  if (const auto* size = all.get<std::int64_t>("global_settings/snapshots/list/size")) {
    found.checkpoints = *size;
  }
  if (const auto* is_pending = all.get<bool>("global_settings/disk_merge_pending")) {
    found.is_merge_pending = *is_pending;
  }
  return found;
}

bool has_saved_memory(const StorageKey& root) {
  const StorageKey* const state = root.find("savedstate");
  return state != nullptr &&
         std::ranges::any_of(state->children, [](const StorageKey& key) {
           return key.name.starts_with("RamBlock") ||
                  key.name.starts_with("RamMemoryBlock");
         });
}

std::string configuration_version(std::int64_t version) {
  return std::to_string(version / 256) + "." + std::to_string(version % 256);
}

std::string_view name_in_path(std::string_view path) {
  const std::size_t separator = path.find_last_of("\\/");
  return separator == std::string_view::npos ? path : path.substr(separator + 1);
}

}  // namespace sealift::vm
