#include "vm/hyperv_export.h"

#include <algorithm>
#include <set>

namespace sealift::vm {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConfigurationEnding = ".vmcx";
constexpr std::string_view kConfigurationFolder = "virtual machines";
constexpr std::string_view kCheckpointFolder = "snapshots";
constexpr std::size_t kLongestName = 255;  // Bytes; Hyper-V's own limit is below.

std::string folder_name(const fs::path& file) {
  return lower_case(file.parent_path().filename().string());
}

std::string ending(std::string_view name) {
  return lower_case(fs::path(name).extension().string());
}

// A checkpoint has a configuration of its own.
bool is_of_a_vm(const InspectedFile& file) {
  return ending(file.path.filename().string()) == kConfigurationEnding &&
         folder_name(file.path) != kCheckpointFolder;
}

// What Export-VM made for the VM, or where its files were put together.
fs::path folder_of_vm(const fs::path& configuration) {
  const fs::path folder = configuration.parent_path();
  return lower_case(folder.filename().string()) == kConfigurationFolder
             ? folder.parent_path()
             : folder;
}

bool lies_below(const fs::path& file, const fs::path& folder) {
  const auto [at, end] =
      std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  static_cast<void>(end);
  return at == folder.end();
}

// By its GUID; of several with one GUID, which are copies, the one of that name.
std::optional<std::size_t> find_parent(const std::vector<InspectedFile>& files,
                                       const VhdxParent& parent) {
  std::optional<std::size_t> found;
  const std::string name = lower_case(name_in_path(parent.source_path));
  for (std::size_t at = 0; at < files.size(); ++at) {
    const auto* const disk = std::get_if<Vhdx>(&files[at].content);
    if (disk == nullptr || disk->data_write_id != parent.linkage) continue;
    if (lower_case(files[at].path.filename().string()) == name) return at;
    if (!found) found = at;
  }
  return found;
}

/// Puts one VM together.
class VmSorter {
 public:
  VmSorter(const std::vector<InspectedFile>& files, std::size_t configuration,
           bool has_own_folder)
      : files_(files), folder_(folder_of_vm(files[configuration].path)) {
    vm_.configuration = configuration;
    vm_.id = lower_case(files[configuration].path.stem().string());
    vm_.name = vm_.id;
    has_own_folder_ = has_own_folder;
  }

  HypervVm sort() {
    claim(vm_.configuration);
    if (const auto* vm = std::get_if<HypervConfiguration>(&own().content)) {
      vm_.id = vm->id.text();
      if (!vm->name.empty()) vm_.name = vm->name;
      look_at(*vm);
      claim_runtime_state();
    }
    if (has_own_folder_) claim_folder();
    claim_parents();
    for (const std::size_t at : claimed_) look_at_file(at);
    vm_.files.assign(claimed_.begin(), claimed_.end());
    return std::move(vm_);
  }

 private:
  const InspectedFile& own() const { return files_[vm_.configuration]; }

  void claim(std::size_t at) { claimed_.insert(at); }

  void block(const fs::path& file, std::string words, std::string next = {}) {
    vm_.blockers.push_back({file, std::move(words), std::move(next)});
  }
  void remark(const fs::path& file, std::string words) {
    vm_.remarks.push_back({file, std::move(words), {}});
  }

  // In the VM's folder first.
  std::optional<std::size_t> find(std::string_view name) const {
    std::optional<std::size_t> found;
    for (std::size_t at = 0; at < files_.size(); ++at) {
      const fs::path& path = files_[at].path;
      if (lower_case(path.filename().string()) != lower_case(name)) continue;
      if (lies_below(path, folder_)) return at;
      if (!found) found = at;
    }
    return found;
  }

  void look_at(const HypervConfiguration& vm) {
    if (lower_case(own().path.stem().string()) != vm.id.text()) {
      block(own().path, "its name is not the id of its VM, " + vm.id.text(),
            "export the VM again; a renamed file is not imported");
    }
    if (vm.name.size() > kLongestName) {
      block(own().path, "the name of its VM has more than 255 bytes",
            "give it a shorter one on the source");
    }
    if (vm.is_merge_pending) {
      block(own().path, "a checkpoint's disk waits to be merged",
            "wait for the merge to end on the source, and export the VM again");
    }
    claim_guest_state(vm);
    for (const HypervDrive& drive : vm.drives) claim_drive(drive);
  }

  void claim_guest_state(const HypervConfiguration& vm) {
    const std::string named = std::string(name_in_path(vm.guest_state_path));
    const std::string name = named.empty() ? vm.id.text() + ".vmgs" : named;
    vm_.guest_state = find(name);
    if (vm_.guest_state) {
      claim(*vm_.guest_state);
    } else if (!named.empty()) {
      block(own().path, "its guest state is not here: " + named,
            "copy the .vmgs file, too: without it the VM has no vTPM");
    }
  }

  void claim_runtime_state() {
    const std::string name = own().path.stem().string() + ".VMRS";
    if (const auto found = find(name)) {
      claim(*found);
      return;
    }
    block(own().path, "its runtime state is not here: " + name,
          "copy all files that Export-VM made");
  }

  void claim_drive(const HypervDrive& drive) {
    const std::string name(name_in_path(drive.source_path));
    if (drive.type == "ISO" || drive.type == "VFD") {
      remark(own().path, "what lies in a drive is not carried: " + name);
      return;
    }
    if (drive.type != "VHD") {
      block(own().path, "a drive of type " + drive.type + " cannot be carried: " + name,
            "take it out of the VM, and export the VM again");
      return;
    }
    if (const auto found = find(name)) {
      claim(*found);
      return;
    }
    const bool is_old = ending(name) == ".vhd";
    block(own().path,
          (is_old ? "a disk is in the old format VHD, which is not read: "
                  : "a disk is not here: ") +
              name,
          is_old ? "convert it on the source with Convert-VHD"
                 : "export the VM again, with all its disks");
  }

  void claim_folder() {
    for (std::size_t at = 0; at < files_.size(); ++at) {
      if (files_[at].type != "wrapped-key" && lies_below(files_[at].path, folder_)) {
        claim(at);
      }
    }
  }

  // Parents have parents; each is looked at once.
  void claim_parents() {
    std::vector<std::size_t> left(claimed_.begin(), claimed_.end());
    while (!left.empty()) {
      const std::size_t at = left.back();
      left.pop_back();
      const auto* const disk = std::get_if<Vhdx>(&files_[at].content);
      if (disk == nullptr || !disk->parent) continue;
      const auto parent = find_parent(files_, *disk->parent);
      if (parent && claimed_.insert(*parent).second) left.push_back(*parent);
    }
  }

  void look_at_file(std::size_t at) {
    const InspectedFile& file = files_[at];
    if (file.has_waiting_changes) {
      block(file.path,
            "changes wait in its replay log: it was copied from a running VM",
            "export the VM again; a file of a running VM is not to be copied");
    }
    if (file.refused) {
      const base::Error& error = *file.refused;
      block(file.path,
            error.what() + (error.cause().empty() ? "" : " (" + error.cause() + ")"));
    } else if (const auto* state = std::get_if<Vmgs>(&file.content)) {
      look_at(file, *state);
    } else if (const auto* disk = std::get_if<Vhdx>(&file.content)) {
      if (disk->has_log) {
        remark(file.path, "it was not closed properly: its log waits");
      }
    }
  }

  void look_at(const InspectedFile& file, const Vmgs& state) {
    if (state.is_torn) {
      block(file.path, "it may have been copied while it was written to",
            "export the VM again; a file of a running VM is not to be copied");
    }
    if (state.gsp && state.gsp->lengths[0] > 0 && state.gsp->lengths[1] > 0) {
      remark(file.path, "the last boot broke off while it changed keys");
    }
    const auto* const vm = std::get_if<HypervConfiguration>(&own().content);
    if (vm == nullptr || !vm->bios_id || !state.bios_id) return;
    if (*vm->bios_id == *state.bios_id) return;
    block(file.path,
          "it belongs to another BIOS GUID than its VM, " +
              own().path.filename().string() + ": the vTPM would be made anew",
          "put the .vmgs of this VM there");
  }

  const std::vector<InspectedFile>& files_;
  fs::path folder_;
  bool has_own_folder_ = false;
  std::set<std::size_t> claimed_;
  HypervVm vm_;
};

void name_parents(HypervExport& found) {
  for (std::size_t at = 0; at < found.files.size(); ++at) {
    const auto* const disk = std::get_if<Vhdx>(&found.files[at].content);
    if (disk == nullptr || !disk->parent) continue;
    const auto parent = find_parent(found.files, *disk->parent);
    if (parent) {
      const std::string name = found.files[*parent].path.string();
      found.files[at].facts.push_back({"parent", "hangs on", name, name});
    } else {
      found.absent_parents.push_back(
          {at, disk->parent->linkage, disk->parent->source_path});
    }
  }
}

}  // namespace

HypervExport sort_out_export(std::vector<InspectedFile> files) {
  HypervExport found;
  found.files = std::move(files);
  name_parents(found);
  std::vector<std::size_t> configurations;
  for (std::size_t at = 0; at < found.files.size(); ++at) {
    if (is_of_a_vm(found.files[at])) configurations.push_back(at);
  }
  std::set<std::size_t> claimed;
  for (const std::size_t at : configurations) {
    const fs::path folder = folder_of_vm(found.files[at].path);
    // Another VM's in it makes it a folder of several.
    const bool is_own = std::ranges::none_of(configurations, [&](std::size_t other) {
      return other != at && lies_below(found.files[other].path, folder);
    });
    found.vms.push_back(VmSorter(found.files, at, is_own).sort());
    claimed.insert(found.vms.back().files.begin(), found.vms.back().files.end());
  }
  for (std::size_t at = 0; at < found.files.size(); ++at) {
    if (found.files[at].type != "wrapped-key" && !claimed.contains(at)) {
      found.unclaimed.push_back(at);
    }
  }
  return found;
}

}  // namespace sealift::vm
