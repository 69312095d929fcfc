#include "vm/hyperv_export.h"

#include <algorithm>
#include <map>
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
         !is_of_checkpoint(file.path);
}

bool lies_below(const fs::path& file, const fs::path& folder) {
  const auto [at, end] =
      std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  static_cast<void>(end);
  return at == folder.end();
}

// By its GUID; of several with one GUID, which are copies, the one beside the child,
// then the one of that name.
std::optional<std::size_t> find_parent(const std::vector<InspectedFile>& files,
                                       const fs::path& child,
                                       const VhdxParent& parent) {
  std::optional<std::size_t> found;
  int best = -1;
  const std::string name = lower_case(name_in_path(parent.source_path));
  for (std::size_t at = 0; at < files.size(); ++at) {
    const auto* const disk = std::get_if<Vhdx>(&files[at].content);
    if (disk == nullptr || disk->data_write_id != parent.linkage) continue;
    const fs::path& path = files[at].path;
    const int worth = (path.parent_path() == child.parent_path() ? 2 : 0) +
                      (lower_case(path.filename().string()) == name ? 1 : 0);
    if (worth <= best) continue;
    best = worth;
    found = at;
  }
  return found;
}

// What a file is by its name, and whether it holds that.
bool holds_what_it_is_called(const InspectedFile& file) {
  const std::string end = ending(file.path.filename().string());
  if (end == kConfigurationEnding) {
    return std::holds_alternative<HypervConfiguration>(file.content);
  }
  if (end == ".vmrs") return std::holds_alternative<SavedState>(file.content);
  if (end == ".vmgs") return std::holds_alternative<Vmgs>(file.content);
  if (end == ".vhdx" || end == ".avhdx") {
    return std::holds_alternative<Vhdx>(file.content);
  }
  return true;
}

// A configuration names it, or it is nobody's.
bool is_state(const InspectedFile& file) {
  const std::string end = ending(file.path.filename().string());
  return end == ".vmgs" || end == ".vmrs";
}

/// The folders of the VMs in an export.
class VmFolders {
 public:
  void add(const fs::path& configuration) { ++folders_[folder_of_vm(configuration)]; }

  /// The deepest that the file lies in; none: it lies in no VM's folder.
  std::optional<fs::path> of(const fs::path& file) const {
    std::optional<fs::path> deepest;
    for (const auto& [folder, vms] : folders_) {
      if (!lies_below(file, folder)) continue;
      if (!deepest || lies_below(folder, *deepest)) deepest = folder;
    }
    return deepest;
  }

  bool has_one_vm(const fs::path& folder) const { return folders_.at(folder) == 1; }

 private:
  std::map<fs::path, int> folders_;  // And how many VMs each has.
};

/// Puts one VM together.
class VmSorter {
 public:
  VmSorter(const std::vector<InspectedFile>& files, const VmFolders& folders,
           std::size_t configuration)
      : files_(files),
        folders_(folders),
        folder_(folder_of_vm(files[configuration].path)) {
    vm_.configuration = configuration;
    vm_.id = lower_case(files[configuration].path.stem().string());
    vm_.name = vm_.id;
  }

  HypervVm sort() {
    claim(vm_.configuration);
    if (const auto* vm = std::get_if<HypervConfiguration>(&own().content)) {
      vm_.id = vm->id.text();
      if (!vm->name.empty()) vm_.name = vm->name;
      look_at(*vm);
      vm_.runtime_state = claim_runtime_state(own());
    }
    if (folders_.has_one_vm(folder_)) claim_folder();
    look_at_checkpoints();
    add_parents(claimed_);
    add_parents(named_disks_);
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

  // In the VM's own folder, else where no VM's is: never another VM's file.
  std::vector<std::size_t> all_named(std::string_view name) const {
    std::vector<std::size_t> own;
    std::vector<std::size_t> free;
    for (std::size_t at = 0; at < files_.size(); ++at) {
      const fs::path& path = files_[at].path;
      if (lower_case(path.filename().string()) != lower_case(name)) continue;
      const auto folder = folders_.of(path);
      if (!folder) free.push_back(at);
      if (folder == folder_) own.push_back(at);
    }
    return own.empty() ? free : own;
  }

  // One beside `beside`, of several; none, and a blocker, if they cannot be told apart.
  std::optional<std::size_t> find(std::string_view name, const fs::path& beside) {
    std::vector<std::size_t> found = all_named(name);
    if (found.size() > 1) {
      std::erase_if(found, [&](std::size_t at) {
        return files_[at].path.parent_path() != beside.parent_path();
      });
      if (found.size() != 1) {
        block(beside, "several files are called " + std::string(name),
              "leave the one that is meant");
        return std::nullopt;
      }
    }
    return found.empty() ? std::nullopt : std::optional(found.front());
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
    vm_.guest_state = claim_guest_state(own(), vm);
    claim_drives(own(), vm, vm_.drives);
  }

  std::optional<std::size_t> claim_guest_state(const InspectedFile& of,
                                               const HypervConfiguration& vm) {
    const std::string named = std::string(name_in_path(vm.guest_state_path));
    const std::string name = named.empty() ? of.path.stem().string() + ".vmgs" : named;
    const auto found = find(name, of.path);
    if (found) {
      claim(*found);
    } else if (!named.empty() || vm.generation > 1) {
      block(of.path, "its guest state is not here: " + name,
            "copy the .vmgs file, too: without it the VM has no vTPM");
    }
    return found;
  }

  std::optional<std::size_t> claim_runtime_state(const InspectedFile& of) {
    const std::string name = of.path.stem().string() + ".VMRS";
    const auto found = find(name, of.path);
    if (found) {
      claim(*found);
    } else {
      block(of.path, "its runtime state is not here: " + name,
            "copy all files that Export-VM made");
    }
    return found;
  }

  void claim_drives(const InspectedFile& of, const HypervConfiguration& vm,
                    std::vector<std::size_t>& places) {
    for (const HypervDrive& drive : vm.drives) {
      const std::string name(name_in_path(drive.source_path));
      if (drive.type == "VHD") {
        claim_disk(of, name, places);
      } else if (drive.type == "ISO" || drive.type == "VFD") {
        remark(of.path, "what lies in a drive is not carried: " + name);
      } else {
        block(of.path, "a drive of type " + drive.type + " cannot be carried: " + name,
              "take it out of the VM, and export the VM again");
      }
    }
  }

  void claim_disk(const InspectedFile& of, const std::string& name,
                  std::vector<std::size_t>& places) {
    if (const auto found = find(name, of.path)) {
      claim(*found);
      named_disks_.insert(*found);
      if (std::ranges::find(places, *found) == places.end()) {
        places.push_back(*found);
      } else {
        block(of.path, "two drives name " + name + ", and one file is here",
              "export the VM again: files of one name need folders of their own");
      }
      return;
    }
    if (!all_named(name).empty()) return;  // Said already: there are several.
    const bool is_old = ending(name) == ".vhd";
    block(of.path,
          (is_old ? "a disk is in the old format VHD, which is not read: "
                  : "a disk is not here: ") +
              name,
          is_old ? "convert it on the source with Convert-VHD"
                 : "export the VM again, with all its disks");
  }

  // A copy of a guest state that somebody left there would be taken for the VM's.
  void claim_folder() {
    for (std::size_t at = 0; at < files_.size(); ++at) {
      if (files_[at].type == "wrapped-key" || is_state(files_[at])) continue;
      if (folders_.of(files_[at].path) == folder_) claim(at);
    }
  }

  // As many as the VM says it has, and each as whole as the VM itself.
  void look_at_checkpoints() {
    const auto* const vm = std::get_if<HypervConfiguration>(&own().content);
    if (vm == nullptr) return;
    std::int64_t count = 0;
    const std::vector<std::size_t> claimed(claimed_.begin(), claimed_.end());
    for (const std::size_t at : claimed) {
      const InspectedFile& file = files_[at];
      const auto* const checkpoint = std::get_if<HypervConfiguration>(&file.content);
      if (checkpoint == nullptr || !is_of_checkpoint(file.path)) continue;
      ++count;
      if (checkpoint->id != vm->id) {
        remark(file.path, "by what it says it is of another VM, " +
                              checkpoint->id.text() +
                              ": is it a checkpoint of this one?");
      }
      std::vector<std::size_t> places;
      claim_guest_state(file, *checkpoint);
      claim_runtime_state(file);
      claim_drives(file, *checkpoint, places);
    }
    if (count > vm->checkpoints) {
      remark(own().path, "it has " + std::to_string(vm->checkpoints) +
                             " checkpoints, and " + std::to_string(count) +
                             " are here: are all of them its own?");
    }
    if (count >= vm->checkpoints) return;
    block(own().path,
          "it has " + std::to_string(vm->checkpoints) + " checkpoints, and " +
              std::to_string(count) + " are here",
          "export the VM again, with its Snapshots folder");
  }

  // Parents have parents; each is looked at once.
  void add_parents(std::set<std::size_t>& disks) const {
    std::vector<std::size_t> left(disks.begin(), disks.end());
    while (!left.empty()) {
      const std::size_t at = left.back();
      left.pop_back();
      const auto* const disk = std::get_if<Vhdx>(&files_[at].content);
      if (disk == nullptr || !disk->parent) continue;
      const auto parent = find_parent(files_, files_[at].path, *disk->parent);
      if (parent && disks.insert(*parent).second) left.push_back(*parent);
    }
  }

  bool hangs_on_itself(std::size_t at) const {
    std::set<std::size_t> seen;
    std::optional<std::size_t> next = at;
    while (next && seen.insert(*next).second) {
      const auto* const disk = std::get_if<Vhdx>(&files_[*next].content);
      if (disk == nullptr || !disk->parent) return false;
      next = find_parent(files_, files_[*next].path, *disk->parent);
    }
    return next == at;
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
      std::string next;
      for (const std::string& step : error.next_steps()) {
        next += (next.empty() ? "" : "; ") + step;
      }
      block(file.path,
            error.what() + (error.cause().empty() ? "" : " (" + error.cause() + ")"),
            std::move(next));
    } else if (!holds_what_it_is_called(file)) {
      block(file.path, "by its name it is something else than it holds, " + file.type,
            "put the right file there");
    } else if (const auto* state = std::get_if<Vmgs>(&file.content)) {
      look_at(file, *state);
    } else if (const auto* disk = std::get_if<Vhdx>(&file.content)) {
      if (disk->has_log) {
        remark(file.path, "it was not closed properly: its log waits");
      }
      if (hangs_on_itself(at)) {
        block(file.path, "its chain of parents comes back to it",
              "export the VM again, with all its disks");
      } else if (disk->parent && !named_disks_.contains(at)) {
        remark(file.path,
               "neither the VM nor a checkpoint of it names this differencing disk");
      }
    }
  }

  void look_at(const InspectedFile& file, const Vmgs& state) {
    if (state.is_empty) {
      remark(
          file.path,
          "it is empty, as before a VM's first start: if the VM was ever started, its "
          "vTPM is lost");
    }
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
  const VmFolders& folders_;
  fs::path folder_;
  std::set<std::size_t> claimed_;
  std::set<std::size_t> named_disks_;  // By a configuration, and their parents.
  HypervVm vm_;
};

// A disk is of one VM; only a parent may be of several. So is a guest state.
void block_shared_files(HypervExport& found) {
  std::map<std::size_t, int> users;
  for (const HypervVm& vm : found.vms) {
    for (const std::size_t at : vm.drives) ++users[at];
    if (vm.guest_state) ++users[*vm.guest_state];
  }
  const auto block_if_shared = [&](HypervVm& vm, std::size_t at, const char* what) {
    if (users[at] == 1) return;
    vm.blockers.push_back({found.files[at].path,
                           std::string("it is ") + what + " of another VM, too",
                           "export the VMs into folders of their own"});
  };
  for (HypervVm& vm : found.vms) {
    for (const std::size_t at : vm.drives) block_if_shared(vm, at, "a disk");
    if (vm.guest_state) block_if_shared(vm, *vm.guest_state, "the guest state");
  }
}

// Hyper-V names a guest state after its VM, or after the checkpoint.
void block_strange_guest_states(HypervExport& found) {
  std::set<std::string> ids;
  for (const HypervVm& vm : found.vms) ids.insert(vm.id);
  for (HypervVm& vm : found.vms) {
    if (!vm.guest_state) continue;
    const fs::path& path = found.files[*vm.guest_state].path;
    const std::string whose = lower_case(path.stem().string());
    if (whose == vm.id || !ids.contains(whose)) continue;
    vm.blockers.push_back({path, "by its name it is the guest state of another VM here",
                           "export the VM again"});
  }
}

// Which of them is the VM nobody can tell.
void block_equal_ids(HypervExport& found) {
  std::map<std::string, int> vms;
  for (const HypervVm& vm : found.vms) ++vms[vm.id];
  for (HypervVm& vm : found.vms) {
    if (vms[vm.id] == 1) continue;
    vm.blockers.push_back({found.files[vm.configuration].path,
                           "several configurations are of this VM",
                           "leave the one that is meant, and name its folder"});
  }
}

void name_parents(HypervExport& found) {
  for (std::size_t at = 0; at < found.files.size(); ++at) {
    const auto* const disk = std::get_if<Vhdx>(&found.files[at].content);
    if (disk == nullptr || !disk->parent) continue;
    const auto parent = find_parent(found.files, found.files[at].path, *disk->parent);
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

bool is_of_checkpoint(const fs::path& file) {
  return folder_name(file) == kCheckpointFolder;
}

fs::path folder_of_vm(const fs::path& configuration) {
  const fs::path folder = configuration.parent_path();
  return lower_case(folder.filename().string()) == kConfigurationFolder
             ? folder.parent_path()
             : folder;
}

HypervExport sort_out_export(std::vector<InspectedFile> files) {
  HypervExport found;
  found.files = std::move(files);
  name_parents(found);
  std::vector<std::size_t> configurations;
  for (std::size_t at = 0; at < found.files.size(); ++at) {
    if (is_of_a_vm(found.files[at])) configurations.push_back(at);
  }
  VmFolders folders;
  for (const std::size_t at : configurations) folders.add(found.files[at].path);
  std::set<std::size_t> claimed;
  for (const std::size_t at : configurations) {
    found.vms.push_back(VmSorter(found.files, folders, at).sort());
    claimed.insert(found.vms.back().files.begin(), found.vms.back().files.end());
  }
  block_shared_files(found);
  block_strange_guest_states(found);
  block_equal_ids(found);
  for (std::size_t at = 0; at < found.files.size(); ++at) {
    if (found.files[at].type != "wrapped-key" && !claimed.contains(at)) {
      found.unclaimed.push_back(at);
    }
  }
  return found;
}

}  // namespace sealift::vm
