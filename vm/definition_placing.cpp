#include "vm/definition_placing.h"

#include <set>
#include <string_view>

#include "vm/definition_copy.h"
#include "vm/definition_value.h"

namespace sealift::vm {

namespace {

void set_attribute(pugi::xml_node element, const char* name, const std::string& value) {
  pugi::xml_attribute attribute = element.attribute(name);
  if (!attribute) attribute = element.append_attribute(name);
  attribute.set_value(value.c_str());
}

void remove_children(pugi::xml_node element, const char* name) {
  while (element.remove_child(name)) {
  }
}

// The first child of that name; a further one is removed, a missing one made.
pugi::xml_node only_child(pugi::xml_node element, const char* name) {
  pugi::xml_node child = element.child(name);
  if (!child) return element.append_child(name);
  while (pugi::xml_node other = child.next_sibling(name)) element.remove_child(other);
  return child;
}

void place_disk(pugi::xml_node disk, const DiskPlace& place) {
  set_attribute(disk, "type", "file");
  remove_children(disk, "backingStore");
  remove_children(disk, "auth");
  pugi::xml_node source = only_child(disk, "source");
  source.remove_attributes();
  source.remove_children();
  set_attribute(source, "file", place.path.string());
  // Stated, never probed: a raw image may begin like a qcow2 one and name any file.
  pugi::xml_node driver = only_child(disk, "driver");
  set_attribute(driver, "name", "qemu");
  set_attribute(driver, "type", place.format);
}

// libvirt lets VMs share raw images only, and the new one is a qcow2 of this VM alone.
void stop_sharing(pugi::xml_node disk, const std::string& target,
                  RebuiltDefinition& result) {
  if (!disk.remove_child("shareable")) return;
  result.notes.push_back("disk " + target +
                         ": was shared with other VMs, becomes this VM's own copy");
}

void empty_drive(pugi::xml_node disk) {
  set_attribute(disk, "type", "file");
  remove_children(disk, "source");
  remove_children(disk, "backingStore");
}

// What a disk lay on, where that was no file of its host.
std::string_view place_on_source(const pugi::xml_node& original,
                                 const std::string& target) {
  for (const pugi::xml_node& disk : original.child("devices").children("disk")) {
    if (disk.child("target").attribute("dev").value() != target) continue;
    const std::string_view type = disk.attribute("type").value();
    if (type == "block") return "a block device";
    if (type == "network") return "network storage";
    if (type == "volume") return "a volume of a storage pool";
  }
  return {};
}

bool has_source(const pugi::xml_node& original, const std::string& target) {
  for (const pugi::xml_node& disk : original.child("devices").children("disk")) {
    if (disk.child("target").attribute("dev").value() == target) {
      return static_cast<bool>(disk.child("source"));
    }
  }
  return false;
}

}  // namespace

bool keeps_variables(const pugi::xml_node& os) {
  const pugi::xml_node loader = os.child("loader");
  const bool is_stateless =
      std::string_view(loader.attribute("stateless").value()) == "yes";
  const bool is_flash = std::string_view(loader.attribute("type").value()) == "pflash";
  const bool is_efi = std::string_view(os.attribute("firmware").value()) == "efi";
  const bool names_file = static_cast<bool>(os.child("nvram"));
  return names_file || ((is_flash || is_efi) && !is_stateless);
}

void place_disks(pugi::xml_node domain, const pugi::xml_node& original,
                 const DefinitionPlaces& places, RebuiltDefinition& result) {
  std::set<std::string> seen;
  std::set<std::string> placed;
  for (pugi::xml_node disk : domain.child("devices").children("disk")) {
    const std::string target = disk.child("target").attribute("dev").value();
    const std::string device = disk.attribute("device").as_string("disk");
    const std::string shown = shown_path(disk, "devices");
    if (!seen.insert(target).second) {
      result.blockers.push_back({shown, "two disks have this target"});
      continue;
    }
    if (device != "disk") {
      empty_drive(disk);
      if (has_source(original, target)) {
        std::string note = device;
        note.append(" ").append(target);
        note += ": ejected, its medium is not part of the snapshot";
        result.notes.push_back(std::move(note));
      }
      continue;
    }
    const auto place = places.disks.find(target);
    if (place == places.disks.end()) {
      result.blockers.push_back({shown, "the snapshot does not hold this disk"});
      continue;
    }
    place_disk(disk, place->second);
    placed.insert(target);
    stop_sharing(disk, target, result);
    const std::string_view before = place_on_source(original, target);
    if (!before.empty()) {
      result.notes.push_back("disk " + target + ": was " + std::string(before) +
                             ", becomes the file " + place->second.path.string());
    }
  }
  // Restored beside the VM and not attached to it, a disk would be as good as lost.
  for (const auto& [target, place] : places.disks) {
    if (placed.contains(target)) continue;
    result.blockers.push_back({"devices/disk[" + target + "]",
                               "the snapshot holds this disk, and the definition does "
                               "not"});
  }
}

void place_nvram(pugi::xml_node domain, const pugi::xml_node& original,
                 const DefinitionPlaces& places, RebuiltDefinition& result) {
  pugi::xml_node os = domain.child("os");
  if (places.nvram.empty()) {
    if (keeps_variables(os)) {
      result.blockers.push_back(
          {"os/nvram",
           "the snapshot holds no NVRAM; libvirt would make a new one in silence, and "
           "the guest's vTPM would not unlock its disk"});
    }
    return;
  }
  if (!os) os = domain.append_child("os");
  remove_children(os, "nvram");
  pugi::xml_node nvram = os.append_child("nvram");
  const pugi::xml_node before = original.child("os").child("nvram");
  const std::string source_template = before.attribute("template").value();
  if (is_firmware_path(source_template)) {
    set_attribute(nvram, "template", source_template);
  } else if (!source_template.empty()) {
    result.notes.push_back("os/nvram: its template " + source_template +
                           " is left out, the NVRAM itself is restored");
  }
  const std::string format = before.attribute("format").value();
  if (format == "raw") set_attribute(nvram, "format", format);
  if (!format.empty() && format != "raw") {
    result.blockers.push_back(
        {"os/nvram", "an NVRAM in " + format + " could name other files of this host"});
  }
  nvram.text().set(places.nvram.c_str());
}

void drop_channel_sockets(pugi::xml_node domain) {
  for (pugi::xml_node channel : domain.child("devices").children("channel")) {
    remove_children(channel, "source");
  }
}

}  // namespace sealift::vm
