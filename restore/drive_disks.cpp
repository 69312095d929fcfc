#include "restore/drive_disks.h"

#include <algorithm>
#include <set>

#include "archive/component_attribute.h"
#include "vm/hyperv_attributes.h"

namespace sealift::restore {

namespace {

using Disks = std::vector<const archive::Component*>;

std::string attribute(const archive::Component* disk, const char* name) {
  return archive::attribute_of(*disk, name);
}

Disks in_drives(const Disks& all) {
  Disks found;
  std::ranges::copy_if(all, std::back_inserter(found), [](const auto* disk) {
    return !attribute(disk, vm::kDrive).empty();
  });
  // Numbers of one length compare like texts.
  std::ranges::stable_sort(found, {}, [](const auto* disk) {
    const std::string number = attribute(disk, vm::kDrive);
    return std::pair(number.size(), number);
  });
  return found;
}

}  // namespace

DriveDisks drive_disks(const archive::Manifest& manifest) {
  Disks all;
  for (const archive::Component& component : manifest.components) {
    if (component.kind == "disk") all.push_back(&component);
  }
  Disks chain = in_drives(all);
  const std::size_t drives = chain.size();
  std::set<const archive::Component*> seen(chain.begin(), chain.end());
  for (std::size_t at = 0; at < chain.size(); ++at) {
    const std::string parent = attribute(chain[at], vm::kParentLinkage);
    if (parent.empty()) continue;
    // Copies of one GUID all come with it: which of them is meant its locator says.
    for (const archive::Component* disk : all) {
      if (attribute(disk, vm::kDataWriteId) != parent) continue;
      if (seen.insert(disk).second) chain.push_back(disk);
    }
  }
  DriveDisks disks;
  for (std::size_t at = 0; at < chain.size(); ++at) {
    (at < drives ? disks.drives : disks.parents)
        .push_back(attribute(chain[at], archive::kExportPath));
  }
  return disks;
}

}  // namespace sealift::restore
