// The VMs of a folder that Hyper-V exported: which file is of which VM, what is
// missing, what contradicts what.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vm/hyperv_files.h"

namespace sealift::vm {

/// Something about one file that an operator should know.
struct HypervRemark {
  std::filesystem::path file;
  std::string words;  ///< "its guest state is not here: X.vmgs".
  std::string next;   ///< What to do about it; may be empty.
};

/// A differencing disk whose parent is not in the folder.
struct AbsentParent {
  std::size_t child = 0;    ///< Its place in HypervExport::files.
  base::Uuid linkage;       ///< The parent's data_write_id.
  std::string source_path;  ///< Where the parent was; may be empty.
};

struct HypervVm {
  std::string id;    ///< Lower case; of a configuration that cannot be read, its name.
  std::string name;  ///< The same.
  std::size_t configuration = 0;   ///< Its place in HypervExport::files.
  std::vector<std::size_t> files;  ///< All of the VM's, ascending, that one included.
  std::optional<std::size_t> guest_state;
  std::optional<std::size_t> runtime_state;  ///< Its own, not a checkpoint's.
  std::vector<std::size_t> drives;     ///< Places of the disks that it names itself.
  std::vector<HypervRemark> blockers;  ///< It is not whole, or not one VM.
  std::vector<HypervRemark> remarks;   ///< What is odd, and no reason to refuse it.
};

struct HypervExport {
  std::vector<InspectedFile> files;  ///< A disk's facts name its parent.
  std::vector<AbsentParent> absent_parents;
  std::vector<HypervVm> vms;  ///< In the order of their configurations.
  std::vector<std::size_t>
      unclaimed;  ///< Files of no VM; wrapped keys are not counted.
};

/// Files are found by their names, whatever the case, in the VM's own folder or in no
/// VM's, and parents by their GUIDs: the paths of the source are not paths here. Files
/// that lie in the folder of one VM alone are that VM's, named anywhere or not; but a
/// guest state or runtime state only if the VM or a checkpoint of it names it.
HypervExport sort_out_export(std::vector<InspectedFile> files);

/// Whether it lies where Hyper-V puts what belongs to a checkpoint.
bool is_of_checkpoint(const std::filesystem::path& file);

/// The folder that Export-VM made for the VM of this configuration, or where its files
/// were put together.
std::filesystem::path folder_of_vm(const std::filesystem::path& configuration);

}  // namespace sealift::vm
