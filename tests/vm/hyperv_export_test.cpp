// Which file of an export is of which VM, and what is missing: on files of no content.
#include "vm/hyperv_export.h"

#include <algorithm>
#include <iterator>

#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

constexpr const char* kOne = "0f3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a42";
constexpr const char* kTwo = "1d3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a43";

base::Uuid uuid(const std::string& text) { return base::Uuid::parse(text).value(); }

InspectedFile file(const std::string& path, const std::string& type) {
  InspectedFile made;
  made.path = path;
  made.type = type;
  return made;
}

InspectedFile configuration(const std::string& path, const std::string& id,
                            const std::vector<std::string>& disks) {
  InspectedFile made = file(path, "hyperv-configuration");
  HypervConfiguration vm;
  vm.id = uuid(id);
  vm.name = "vm " + id.substr(0, 2);
  vm.bios_id = uuid(kTwo);
  vm.guest_state_path = "C:\\vms\\" + id + ".vmgs";
  for (const std::string& disk : disks) {
    vm.drives.push_back({"controller0", 0, "VHD", "C:\\disks\\" + disk});
  }
  made.content = vm;
  return made;
}

InspectedFile vmgs(const std::string& path, const Vmgs& state = {}) {
  InspectedFile made = file(path, "vmgs");
  made.content = state;
  return made;
}

InspectedFile vmrs(const std::string& path) {
  InspectedFile made = file(path, "hyperv-runtime-state");
  made.content = SavedState{};
  return made;
}

InspectedFile disk(const std::string& path, const std::string& id,
                   const std::string& parent = {}) {
  InspectedFile made = file(path, "vhdx");
  Vhdx vhdx;
  vhdx.data_write_id = uuid(id);
  if (!parent.empty()) vhdx.parent = VhdxParent{uuid(parent), "C:\\disks\\base.vhdx"};
  made.content = vhdx;
  return made;
}

const std::string kDiskA = "00000000-0000-0000-0000-00000000000a";
const std::string kDiskB = "00000000-0000-0000-0000-00000000000b";
const std::string kDiskC = "00000000-0000-0000-0000-00000000000c";

/// A VM in a folder as Export-VM makes it.
std::vector<InspectedFile> exported(const std::string& folder, const std::string& id) {
  const std::string machine = folder + "/Virtual Machines/" + id;
  return {configuration(machine + ".vmcx", id, {"SYSTEM.vhdx"}),
          vmgs(machine + ".VMGS"), vmrs(machine + ".vmrs"),
          disk(folder + "/Virtual Hard Disks/system.vhdx", kDiskA)};
}

std::vector<std::string> words(const std::vector<HypervRemark>& remarks) {
  std::vector<std::string> list;
  for (const HypervRemark& remark : remarks) list.push_back(remark.words);
  return list;
}

std::vector<std::string> paths(const HypervExport& found, const HypervVm& vm) {
  std::vector<std::string> list;
  for (const std::size_t at : vm.files) list.push_back(found.files[at].path.string());
  std::ranges::sort(list);
  return list;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("an export of one VM is whole", "[vm]") {
  const HypervExport found = sort_out_export(exported("/x", kOne));
  REQUIRE(found.vms.size() == 1);
  const HypervVm& vm = found.vms.front();
  CHECK(vm.id == kOne);
  CHECK(vm.name == "vm 0f");
  CHECK(vm.files.size() == 4);
  CHECK(vm.blockers.empty());
  CHECK(vm.remarks.empty());
  CHECK(vm.guest_state == 1U);
  CHECK(found.unclaimed.empty());
}

TEST_CASE("what is missing is named", "[vm]") {
  for (const auto& [gone, said] : std::vector<std::pair<std::size_t, std::string>>{
           {1, "its guest state is not here: " + std::string(kOne) + ".vmgs"},
           {2, "its runtime state is not here: " + std::string(kOne) + ".VMRS"},
           {3, "a disk is not here: SYSTEM.vhdx"}}) {
    auto files = exported("/x", kOne);
    files.erase(files.begin() + static_cast<long>(gone));
    CHECK(words(sort_out_export(files).vms.front().blockers) == Words{said});
  }
}

TEST_CASE("what contradicts itself is named", "[vm]") {
  auto files = exported("/x", kOne);
  auto& vm = std::get<HypervConfiguration>(files[0].content);
  vm.is_merge_pending = true;
  vm.drives.push_back({"controller0", 1, "ISO", "C:\\install.iso"});
  vm.drives.push_back({"controller0", 2, "PHYSICAL", "Disk 3"});
  vm.drives.push_back({"controller0", 3, "VHD", "C:\\old.vhd"});
  auto& state = std::get<Vmgs>(files[1].content);
  state.is_torn = true;
  state.bios_id = uuid(kOne);
  state.gsp = GspState{{40, 40}, 0};
  std::get<Vhdx>(files[3].content).has_log = true;
  const HypervVm found = sort_out_export(files).vms.front();
  CHECK(words(found.blockers) ==
        Words{"a checkpoint's disk waits to be merged",
              "a drive of type PHYSICAL cannot be carried: Disk 3",
              "a disk is in the old format VHD, which is not read: old.vhd",
              "it may have been copied while it was written to",
              "it belongs to another BIOS GUID than its VM, " + std::string(kOne) +
                  ".vmcx: the vTPM would be made anew"});
  CHECK(words(found.remarks) ==
        Words{"what lies in a drive is not carried: install.iso",
              "the last boot broke off while it changed keys",
              "it was not closed properly: its log waits"});
  files = exported("/x", kOne);
  files[2].has_waiting_changes = true;
  CHECK_THAT(words(sort_out_export(files).vms.front().blockers).front(),
             Catch::Matchers::StartsWith("changes wait in its replay log"));
  files = exported("/x", kOne);
  files[0].path = "/x/Virtual Machines/renamed.vmcx";
  CHECK(words(sort_out_export(files).vms.front().blockers).front() ==
        "its name is not the id of its VM, " + std::string(kOne));
  files = exported("/x", kOne);
  files[0].content = std::monostate();
  files[0].refused = base::Error(base::ErrorCode::kCorrupt, "it is damaged");
  const HypervVm damaged = sort_out_export(files).vms.front();
  CHECK(words(damaged.blockers) == Words{"it is damaged"});
  CHECK(damaged.id == kOne);
}

TEST_CASE("a chain is followed by GUIDs to its end", "[vm]") {
  auto files = exported("/x", kOne);
  files[3] = disk("/x/system.vhdx", kDiskC, kDiskB);
  files.push_back(disk("/y/middle.avhdx", kDiskB, kDiskA));
  HypervExport found = sort_out_export(files);
  REQUIRE(found.absent_parents.size() == 1);
  CHECK(found.absent_parents.front().child == 4);
  CHECK(found.absent_parents.front().linkage.text() == kDiskA);
  CHECK(found.vms.front().files.size() == 5);
  files.push_back(disk("/y/elsewhere.vhdx", kDiskA));
  found = sort_out_export(files);
  CHECK(found.absent_parents.empty());
  CHECK(found.vms.front().files.size() == 6);
  CHECK(found.files[4].facts.back().text == "/y/elsewhere.vhdx");
  // A ring has no end, and the search has.
  files.back() = disk("/y/elsewhere.vhdx", kDiskA, kDiskC);
  found = sort_out_export(files);
  CHECK(found.vms.front().files.size() == 6);
  CHECK(words(found.vms.front().blockers) ==
        Words(3, "its chain of parents comes back to it"));
}

TEST_CASE("the files of two VMs are kept apart", "[vm]") {
  auto files = exported("/x/one", kOne);
  for (InspectedFile& other : exported("/x/two", kTwo)) files.push_back(other);
  files.push_back(configuration(
      "/x/two/Snapshots/ffffffff-9c1b-4e61-8d0a-5b1e7c0d9a42.vmcx", kTwo, {}));
  files.push_back(vmrs("/x/two/Snapshots/ffffffff-9c1b-4e61-8d0a-5b1e7c0d9a42.VMRS"));
  files.push_back(disk("/x/stray.vhdx", kDiskC));
  files.push_back(file("/x/keys/a.json", "wrapped-key"));
  const HypervExport found = sort_out_export(files);
  REQUIRE(found.vms.size() == 2);
  CHECK(paths(found, found.vms[0]).size() == 4);
  CHECK(paths(found, found.vms[0]).front().starts_with("/x/one/"));
  CHECK(paths(found, found.vms[1]).size() == 6);
  CHECK(paths(found, found.vms[1]).back().starts_with("/x/two/"));
  CHECK(found.vms[1].blockers.empty());
  REQUIRE(found.unclaimed.size() == 1);
  CHECK(found.files[found.unclaimed.front()].path == "/x/stray.vhdx");
}

TEST_CASE("a VM never gets another VM's file", "[vm]") {
  auto files = exported("/x/one", kOne);
  files.pop_back();
  for (InspectedFile& other : exported("/x/two", kTwo)) files.push_back(other);
  HypervExport found = sort_out_export(files);
  CHECK(words(found.vms[0].blockers) == Words{"a disk is not here: SYSTEM.vhdx"});
  CHECK(found.vms[1].blockers.empty());
  // One that lies in no VM's folder will do, and two will not.
  files.push_back(disk("/x/disks/system.vhdx", kDiskA));
  found = sort_out_export(files);
  CHECK(found.vms[0].blockers.empty());
  CHECK(paths(found, found.vms[0]).front() == "/x/disks/system.vhdx");
  CHECK(paths(found, found.vms[1]).size() == 4);
  files.push_back(disk("/x/other/system.vhdx", kDiskB));
  CHECK(words(sort_out_export(files).vms[0].blockers) ==
        Words{"several files are called SYSTEM.vhdx"});
}

TEST_CASE("a file is what its name says", "[vm]") {
  for (const std::size_t at : {0U, 1U, 2U, 3U}) {
    auto files = exported("/x", kOne);
    files[at].content = std::monostate();
    CAPTURE(files[at].path);
    const auto blockers = words(sort_out_export(files).vms.front().blockers);
    REQUIRE_FALSE(blockers.empty());
    CHECK_THAT(blockers.back(),
               Catch::Matchers::StartsWith("by its name it is something else"));
  }
}

TEST_CASE("each drive has a disk of its own", "[vm]") {
  auto files = exported("/x", kOne);
  std::get<HypervConfiguration>(files[0].content)
      .drives.push_back({"controller0", 1, "VHD", "D:\\system.vhdx"});
  CHECK(words(sort_out_export(files).vms.front().blockers) ==
        Words{"two drives name system.vhdx, and one file is here"});
  // Of VMs that share a folder, too.
  files = {configuration("/x/" + std::string(kOne) + ".vmcx", kOne, {"a.vhdx"}),
           configuration("/x/" + std::string(kTwo) + ".vmcx", kTwo, {"a.vhdx"}),
           disk("/x/a.vhdx", kDiskA)};
  for (const HypervVm& vm : sort_out_export(files).vms) {
    CHECK(words(vm.blockers).back() == "it is a disk of another VM, too");
  }
}

TEST_CASE("checkpoints are as many as the VM says, and whole", "[vm]") {
  auto files = exported("/x", kOne);
  std::get<HypervConfiguration>(files[0].content).checkpoints = 1;
  CHECK(words(sort_out_export(files).vms.front().blockers) ==
        Words{"it has 1 checkpoints, and 0 are here"});
  const std::string checkpoint = "/x/Snapshots/ffffffff-9c1b-4e61-8d0a-5b1e7c0d9a42";
  files.push_back(configuration(checkpoint + ".vmcx", kOne, {"older.avhdx"}));
  CHECK(words(sort_out_export(files).vms.front().blockers) ==
        Words{"its runtime state is not here: "
              "ffffffff-9c1b-4e61-8d0a-5b1e7c0d9a42.VMRS",
              "a disk is not here: older.avhdx"});
  files.push_back(vmrs(checkpoint + ".VMRS"));
  files.push_back(disk("/x/older.avhdx", kDiskB));
  CHECK(sort_out_export(files).vms.front().blockers.empty());
  std::get<HypervConfiguration>(files[0].content).checkpoints = 0;
  CHECK(words(sort_out_export(files).vms.front().remarks) ==
        Words{"it has 0 checkpoints, and 1 are here: are all of them its own?"});
}

TEST_CASE("a configuration of another VM among the checkpoints is named", "[vm]") {
  auto files = exported("/x", kOne);
  std::get<HypervConfiguration>(files[0].content).checkpoints = 1;
  const std::string checkpoint = "/x/Snapshots/ffffffff-9c1b-4e61-8d0a-5b1e7c0d9a42";
  files.push_back(configuration(checkpoint + ".vmcx", kTwo, {}));
  files.push_back(vmrs(checkpoint + ".VMRS"));
  files.push_back(vmgs("/x/Snapshots/" + std::string(kTwo) + ".vmgs"));
  const HypervVm found = sort_out_export(files).vms.front();
  CHECK(found.blockers.empty());
  CHECK(words(found.remarks) ==
        Words{"by what it says it is of another VM, " + std::string(kTwo) +
              ": is it a checkpoint of this one?"});
  CHECK(found.remarks.front().file == checkpoint + ".vmcx");
}

TEST_CASE("a VM of generation 2 has a guest state", "[vm]") {
  auto files = exported("/x", kOne);
  auto& vm = std::get<HypervConfiguration>(files[0].content);
  vm.guest_state_path.clear();
  files.erase(files.begin() + 1);
  CHECK(sort_out_export(files).vms.front().blockers.empty());
  std::get<HypervConfiguration>(files[0].content).generation = 2;
  CHECK(words(sort_out_export(files).vms.front().blockers) ==
        Words{"its guest state is not here: " + std::string(kOne) + ".vmgs"});
}

TEST_CASE("a guest state that is empty, or another VM's, is seen", "[vm]") {
  auto files = exported("/x", kOne);
  std::get<Vmgs>(files[1].content).is_empty = true;
  CHECK_THAT(words(sort_out_export(files).vms.front().remarks).front(),
             Catch::Matchers::StartsWith("it is empty, as before a VM's first start"));
  // Two VMs in one folder, and the first names the second's.
  files = {configuration("/x/" + std::string(kOne) + ".vmcx", kOne, {}),
           configuration("/x/" + std::string(kTwo) + ".vmcx", kTwo, {}),
           vmgs("/x/" + std::string(kOne) + ".vmgs"),
           vmgs("/x/" + std::string(kTwo) + ".vmgs"),
           vmrs("/x/" + std::string(kOne) + ".vmrs"),
           vmrs("/x/" + std::string(kTwo) + ".vmrs")};
  for (const HypervVm& vm : sort_out_export(files).vms) CHECK(vm.blockers.empty());
  std::get<HypervConfiguration>(files[0].content).guest_state_path =
      "C:\\vms\\" + std::string(kTwo) + ".vmgs";
  const HypervExport found = sort_out_export(files);
  CHECK(words(found.vms[0].blockers) ==
        Words{"it is the guest state of another VM, too",
              "by its name it is the guest state of another VM here"});
  CHECK(words(found.vms[1].blockers) ==
        Words{"it is the guest state of another VM, too"});
}

TEST_CASE("one id is of one VM", "[vm]") {
  auto files = exported("/old", kOne);
  std::ranges::move(exported("/new", kOne), std::back_inserter(files));
  const HypervExport found = sort_out_export(files);
  REQUIRE(found.vms.size() == 2);
  for (const HypervVm& vm : found.vms) {
    CHECK(words(vm.blockers) == Words{"several configurations are of this VM"});
  }
}

TEST_CASE("a differencing disk that nobody names is remarked on", "[vm]") {
  auto files = exported("/x", kOne);
  files.push_back(disk("/x/Virtual Hard Disks/newer.avhdx", kDiskB, kDiskA));
  const Words said{
      "neither the VM nor a checkpoint of it names this differencing disk"};
  CHECK(words(sort_out_export(files).vms.front().remarks) == said);
  // One that hangs below it makes neither of them named; a drive does.
  files.push_back(disk("/x/Virtual Hard Disks/newest.avhdx", kDiskC, kDiskB));
  CHECK(words(sort_out_export(files).vms.front().remarks).size() == 2);
  std::get<HypervConfiguration>(files[0].content).drives.front().source_path =
      "C:\\disks\\newest.avhdx";
  CHECK(sort_out_export(files).vms.front().remarks.empty());
}

TEST_CASE("a parent beside its child comes before a copy elsewhere", "[vm]") {
  auto files = exported("/x/two", kTwo);
  files[3] = disk("/x/two/system.vhdx", kDiskC, kDiskA);
  files.insert(files.begin(), disk("/x/one/base.vhdx", kDiskA));
  files.push_back(disk("/x/two/copy.vhdx", kDiskA));
  const HypervExport found = sort_out_export(files);
  CHECK(paths(found, found.vms.front()).front().starts_with("/x/two/"));
}

TEST_CASE("two VMs in one folder have the files that they name", "[vm]") {
  std::vector<InspectedFile> files{
      configuration("/x/" + std::string(kOne) + ".vmcx", kOne, {"a.vhdx"}),
      configuration("/x/" + std::string(kTwo) + ".vmcx", kTwo, {"b.vhdx"})};
  for (const char* id : {kOne, kTwo}) {
    files.push_back(vmgs("/x/" + std::string(id) + ".vmgs"));
    files.push_back(vmrs("/x/" + std::string(id) + ".VMRS"));
  }
  files.push_back(disk("/x/a.vhdx", kDiskA));
  files.push_back(disk("/x/b.vhdx", kDiskB));
  files.push_back(disk("/x/c.vhdx", kDiskC));
  const HypervExport found = sort_out_export(files);
  REQUIRE(found.vms.size() == 2);
  for (const HypervVm& vm : found.vms) {
    CHECK(vm.blockers.empty());
    CHECK(vm.files.size() == 4);
  }
  CHECK(paths(found, found.vms[0]).back() == "/x/a.vhdx");
  CHECK(paths(found, found.vms[1]).back() == "/x/b.vhdx");
  CHECK(found.unclaimed.size() == 1);
}

}  // namespace sealift::vm
