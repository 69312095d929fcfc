#include "vm/backup_xml.h"

#include "vm/xml.h"

namespace sealift::vm {

namespace {

pugi::xml_node add_disk(pugi::xml_node disks, const std::string& target,
                        const char* attribute, const char* value) {
  pugi::xml_node disk = disks.append_child("disk");
  disk.append_attribute("name").set_value(target.c_str());
  disk.append_attribute(attribute).set_value(value);
  return disk;
}

}  // namespace

std::string exported_bitmap(const std::string& target) { return "changes-" + target; }

std::string backup_xml(const std::filesystem::path& socket,
                       const std::vector<PulledDisk>& disks,
                       const std::vector<std::string>& others) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("domainbackup");
  root.append_attribute("mode").set_value("pull");
  pugi::xml_node server = root.append_child("server");
  server.append_attribute("transport").set_value("unix");
  server.append_attribute("socket").set_value(socket.c_str());
  pugi::xml_node list = root.append_child("disks");
  for (const PulledDisk& disk : disks) {
    pugi::xml_node node = add_disk(list, disk.target, "backup", "yes");
    node.append_attribute("type").set_value("file");
    if (!disk.since.empty()) {
      node.append_attribute("backupmode").set_value("incremental");
      node.append_attribute("incremental").set_value(disk.since.c_str());
      node.append_attribute("exportbitmap")
          .set_value(exported_bitmap(disk.target).c_str());
    }
    node.append_child("driver").append_attribute("type").set_value("qcow2");
    node.append_child("scratch").append_attribute("file").set_value(
        disk.scratch.c_str());
  }
  for (const std::string& target : others) add_disk(list, target, "backup", "no");
  return write_xml(document);
}

std::string checkpoint_xml(const std::string& name,
                           const std::vector<std::string>& with,
                           const std::vector<std::string>& without,
                           CheckpointState state) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("domaincheckpoint");
  root.append_child("name").text().set(name.c_str());
  root.append_child("description").text().set("sealift backup");
  if (state == CheckpointState::kForgotten) {
    root.append_child("creationTime").text().set("1");  // It wants one; any will do.
  }
  pugi::xml_node list = root.append_child("disks");
  for (const std::string& target : with) add_disk(list, target, "checkpoint", "bitmap");
  for (const std::string& target : without) add_disk(list, target, "checkpoint", "no");
  return write_xml(document);
}

}  // namespace sealift::vm
