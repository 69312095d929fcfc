#include "vm/live_disks.h"

#include <algorithm>
#include <string_view>

#include "vm/definition_xml.h"

namespace sealift::vm {

namespace {

bool holds_data(const pugi::xml_node& disk) {
  return std::string_view(disk.attribute("device").as_string("disk")) == "disk";
}

pugi::xml_node devices_of(const pugi::xml_document& document) {
  return document.document_element().child("devices");
}

std::string target_of(const pugi::xml_node& disk) {
  return disk.child("target").attribute("dev").value();
}

bool has_target(const pugi::xml_node& devices, const std::string& target) {
  const auto disks = devices.children("disk");
  return std::any_of(disks.begin(), disks.end(), [&](const pugi::xml_node& disk) {
    return target_of(disk) == target;
  });
}

// What belongs to the running VM alone. A PCI or drive address may be another device's
// in the stored definition; libvirt chooses one.
void forget_running_state(pugi::xml_node disk) {
  for (const char* name : {"address", "alias", "mirror"}) {
    while (disk.remove_child(name)) {
    }
  }
}

}  // namespace

base::Result<LiveDisks> with_live_disks(const std::string& inactive_xml,
                                        const std::string& active_xml) {
  if (active_xml.empty()) return LiveDisks{inactive_xml, {}, {}};
  ASSIGN_OR_RETURN(const auto stored, parse_domain_xml(inactive_xml));
  ASSIGN_OR_RETURN(const auto live, parse_domain_xml(active_xml));
  pugi::xml_node stored_devices = devices_of(*stored);
  const pugi::xml_node live_devices = devices_of(*live);
  LiveDisks result;
  for (pugi::xml_node disk = stored_devices.child("disk"); disk;) {
    const pugi::xml_node next = disk.next_sibling("disk");
    const std::string target = target_of(disk);
    if (holds_data(disk) && !has_target(live_devices, target)) {
      result.only_stored.push_back(target);
      stored_devices.remove_child(disk);
    }
    disk = next;
  }
  for (const pugi::xml_node& disk : live_devices.children("disk")) {
    const std::string target = target_of(disk);
    if (!holds_data(disk) || has_target(stored_devices, target)) continue;
    result.only_live.push_back(target);
    forget_running_state(stored_devices.append_copy(disk));
  }
  result.xml = result.only_live.empty() && result.only_stored.empty()
                   ? inactive_xml
                   : to_text(*stored);
  return result;
}

std::vector<std::string> words_of(const LiveDisks& disks) {
  std::vector<std::string> words;
  for (const std::string& target : disks.only_live) {
    words.push_back("disk " + target +
                    ": attached to the running VM only, not in its stored definition; "
                    "it is in the snapshot, and a restore attaches it for good");
  }
  for (const std::string& target : disks.only_stored) {
    words.push_back("disk " + target +
                    ": in the stored definition only, not attached to the running VM; "
                    "it is not in the snapshot, and a restore leaves it out");
  }
  return words;
}

}  // namespace sealift::vm
