// A domain rebuilt from an allow-list: a snapshot may come from a compromised host.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"

namespace sealift::vm {

struct DiskPlace {
  std::filesystem::path path;
  std::string format;  ///< "qcow2" or "raw".
};

/// What the restored VM gets in place of the source's paths.
struct DefinitionPlaces {
  std::map<std::string, DiskPlace> disks;  ///< By target.
  std::filesystem::path nvram;             ///< Empty: the VM has none.
  std::set<std::string> emulators;         ///< That the target's capabilities name.
  std::set<std::string> allowed_elements;  ///< Of --allow-element: "devices/hostdev".
};

/// Something in the definition that the allow-list does not hold.
struct Blocker {
  std::string
      element;  ///< "devices/hostdev[1]", "os/loader", "devices/disk[vdb]/source".
  std::string reason;
};

struct RebuiltDefinition {
  std::string xml;
  std::vector<Blocker> blockers;  ///< Not empty: `xml` must not be defined.
  std::vector<std::string>
      notes;  ///< What was left out on purpose: an ejected cdrom, ...
};

/// Writes the domain anew from the elements and attributes of `inactive_xml` that
/// virt-install and virt-manager write for an ordinary guest. Host paths only for
/// disks, NVRAM, serial logs under /var/log/libvirt/, /dev/random and /dev/urandom,
/// OVMF images under the firmware folders, and an emulator that `places` names. errors
/// kCorrupt: not a domain's XML.
base::Result<RebuiltDefinition> rebuild_definition(const std::string& inactive_xml,
                                                   const DefinitionPlaces& places);

/// What a definition says of the VM, for the plan.
struct DefinitionFacts {
  std::string name;
  base::Uuid uuid;
  std::string domain_type;  ///< "kvm", "qemu".
  std::string machine;
  std::string emulator;
  std::string loader;
  std::vector<std::string> mac_addresses;
  std::vector<std::string> networks;
  std::vector<std::string> bridges;
  std::string tpm_secret;  ///< UUID, or empty.
  bool has_nvram = false;  ///< Its firmware keeps variables in a file.
  bool has_vtpm = false;
};
base::Result<DefinitionFacts> read_definition(const std::string& xml);

}  // namespace sealift::vm
