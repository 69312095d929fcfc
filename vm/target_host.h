// The cluster that a VM is brought back on.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "vm/connection.h"

namespace sealift::vm {

struct KnownVm {
  std::string name;
  base::Uuid uuid;
  std::vector<std::string> mac_addresses;
  std::vector<std::filesystem::path> files;  ///< Disks and NVRAM that it uses.
};

struct TargetHost {
  std::vector<KnownVm> vms;
  std::set<std::string> emulators;  ///< For x86_64, from the capabilities.
  std::set<std::string> machines;
  std::set<std::string> domain_types;  ///< "kvm", "qemu".
  std::set<std::string> networks;      ///< Defined ones.
  std::filesystem::path swtpm_directory = "/var/lib/libvirt/swtpm";
  std::filesystem::path nvram_directory = "/var/lib/libvirt/qemu/nvram";
  std::filesystem::path image_directory = "/var/lib/libvirt/images";
};

/// errors  kHypervisor.
base::Result<TargetHost> survey_target(const Connection& connection);

/// errors  kHypervisor: nothing is defined.
base::Status define_domain(const Connection& connection, const std::string& xml);
/// errors  kHypervisor: libvirt's words, which name the VM's log.
base::Status start_domain(const Connection& connection, const base::Uuid& uuid);
/// Takes the definition away again; NVRAM and vTPM state stay (--keep-nvram
/// --keep-tpm). One that is not there is no error.
base::Status undefine_domain(const Connection& connection, const base::Uuid& uuid);

}  // namespace sealift::vm
