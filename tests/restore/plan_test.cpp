#include "restore/plan.h"

#include <fstream>

#include "tests/restore/restore_fixture.h"

namespace sealift::restore {

namespace {

namespace fs = std::filesystem;
using support::RestoreScene;
using support::VmSnapshot;

struct Obstacle {
  std::string words;
  std::string blocker;  // The check that names it.
  std::function<void(RestoreScene&)> put;
};

vm::KnownVm other_vm() {
  vm::KnownVm vm;
  vm.name = "other";
  vm.uuid = base::Uuid::parse("00000000-0000-4000-8000-00000000000f").value();
  return vm;
}

void write_file(const fs::path& path) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << "precious";
}

const std::vector<Obstacle>& obstacles() {
  static const std::vector<Obstacle> all = {
      {"a VM of that name", "name",
       [](RestoreScene& scene) {
         vm::KnownVm vm = other_vm();
         vm.name = "web 01 é";
         scene.cluster.host.vms.push_back(vm);
       }},
      {"a VM of that UUID", "uuid",
       [](RestoreScene& scene) {
         vm::KnownVm vm = other_vm();
         vm.uuid = base::Uuid::parse(support::kVmUuid).value();
         scene.cluster.host.vms.push_back(vm);
       }},
      {"a VM with that MAC, in other letters", "mac 52:54:00:12:34:56",
       [](RestoreScene& scene) {
         vm::KnownVm vm = other_vm();
         vm.mac_addresses = {"52:54:00:12:34:56"};
         scene.cluster.host.vms.push_back(vm);
       }},
      {"a file where the disk goes", "disk vda",
       [](RestoreScene& scene) {
         write_file(scene.cluster.host.image_directory / "web.qcow2");
       }},
      {"a symlink to nothing where the disk goes", "disk vda",
       [](RestoreScene& scene) {
         fs::create_symlink("/nowhere",
                            scene.cluster.host.image_directory / "web.qcow2");
       }},
      {"another VM's file where the disk goes", "disk vda",
       [](RestoreScene& scene) {
         vm::KnownVm vm = other_vm();
         vm.files = {scene.cluster.host.image_directory / "web.qcow2"};
         scene.cluster.host.vms.push_back(vm);
       }},
      {"a file where NVRAM goes", "NVRAM",
       [](RestoreScene& scene) {
         write_file(scene.cluster.host.nvram_directory / "web 01 é_VARS.fd");
       }},
      {"a vTPM state of that UUID", "vTPM state",
       [](RestoreScene& scene) {
         fs::create_directories(scene.cluster.host.swtpm_directory / support::kVmUuid);
       }},
      {"a secret of that UUID with another value",
       "secret " + std::string(support::kSecretUuid),
       [](RestoreScene& scene) {
         scene.cluster.secrets[support::kSecretUuid] = {std::byte{1}};
       }},
      {"a secret of that usage", "secret " + std::string(support::kSecretUuid),
       [](RestoreScene& scene) { scene.cluster.usages["web-vtpm"] = "other"; }},
      {"no such network", "network default",
       [](RestoreScene& scene) { scene.cluster.host.networks.clear(); }},
      {"no such machine type", "machine",
       [](RestoreScene& scene) { scene.cluster.host.machines = {"pc-q35-6.0"}; }},
      {"no KVM", "virtualization",
       [](RestoreScene& scene) { scene.cluster.host.domain_types = {"qemu"}; }},
      {"another emulator", "definition",
       [](RestoreScene& scene) { scene.cluster.host.emulators = {"/usr/bin/qemu"}; }},
      {"no storage folder", "storage",
       [](RestoreScene& scene) { fs::remove(scene.cluster.host.image_directory); }},
  };
  return all;
}

}  // namespace

TEST_CASE("what is in the way on the target blocks, and nothing is touched",
          "[restore][plan]") {
  static RestoreScene scene;
  static const catalog::Snapshot snapshot = scene.back_up({});
  const Obstacle obstacle = GENERATE(from_range(obstacles()));
  CAPTURE(obstacle.words);
  const support::Cluster before = scene.cluster;
  obstacle.put(scene);
  const auto files = scene.files_on_target();

  const auto prepared = support::must(scene.prepare(snapshot));
  CHECK(prepared->plan().is_blocked());
  CHECK(support::blockers(prepared->plan()) == obstacle.blocker);
  const PlanCheck* check = support::find_check(prepared->plan(), obstacle.blocker);
  REQUIRE(check != nullptr);
  CHECK_FALSE(check->detail.empty());
  CHECK_FALSE(check->fix.empty());

  const base::Status status = prepared->run({});
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kRefused);
  CHECK(
      status.error().next_steps() ==
      std::vector<std::string>{check->name + ": " + check->detail + "; " + check->fix});
  CHECK(scene.files_on_target() == files);
  CHECK(scene.cluster.defined.empty());

  scene.cluster = before;
  for (const auto& entry : fs::directory_iterator(scene.target.path())) {
    fs::remove_all(entry.path());
  }
  fs::create_directory(scene.cluster.host.image_directory);
}

TEST_CASE("a snapshot that will not unlock blocks", "[restore][plan]") {
  struct Case {
    std::string words;
    VmSnapshot vm;
    std::string blocker;
  };
  const base::Bytes other_key(base::as_bytes("another").begin(),
                              base::as_bytes("another").end());
  const std::vector<Case> cases = {
      {"the key opens another state",
       {.state = support::swtpm_state(other_key)},
       "vTPM"},
      {"a key file for somebody else", {.recipient = 1}, "vTPM"},
      {"a state that is not one", {.state = support::chunk_of(9)}, "vTPM"},
      {"no key for an encrypted state", {.key = {}}, "vTPM"},
      {"a state without encryption, a definition with",
       {.state = support::swtpm_state({})},
       "vTPM"},
      {"a hostile definition",
       {.extra_devices = "<hostdev mode='subsystem' type='usb'/>"},
       "definition"},
      {"no disks", {.kind = "state"}, "snapshot, definition"},
  };
  const Case tried = GENERATE_COPY(from_range(cases));
  CAPTURE(tried.words);
  RestoreScene scene;
  const auto prepared = support::must(scene.prepare(scene.back_up(tried.vm)));
  CHECK(support::blockers(prepared->plan()) == tried.blocker);
  CHECK(prepared->run({}).error().code() == base::ErrorCode::kRefused);
  CHECK(scene.is_untouched());
}

TEST_CASE("a VM that was never started comes back with its secret", "[restore][plan]") {
  RestoreScene scene;
  const auto prepared = support::must(scene.prepare(scene.back_up(
      {.was_started = false,
       .verdicts = {{"firmware-vars", "absent", ""}, {"guest-state", "absent", ""}}})));
  CHECK(support::blockers(prepared->plan()).empty());
  REQUIRE(prepared->run({}));
  CHECK(scene.cluster.secrets.at(support::kSecretUuid) == support::key_bytes());
  CHECK(scene.cluster.defined.size() == 1);
}

TEST_CASE("NVRAM or vTPM state that the snapshot lost block", "[restore][plan]") {
  RestoreScene scene;
  const auto prepared = support::must(scene.prepare(
      scene.back_up({.was_started = false,
                     .verdicts = {{"firmware-vars", "incomplete", "gone"},
                                  {"guest-state", "incomplete", "gone"}}})));
  CHECK(support::blockers(prepared->plan()) == "vTPM, definition");
  CHECK(scene.is_untouched());
}

TEST_CASE("a disk that the running VM alone had is attached for good",
          "[restore][plan]") {
  RestoreScene scene;
  const auto prepared = support::must(scene.prepare(scene.back_up(
      {.live_devices = "<disk type='file' device='disk'><driver type='raw'/>"
                       "<source file='/srv/images/live.img'/>"
                       "<target dev='vdb' bus='virtio'/><alias name='virtio-disk1'/>"
                       "<address type='pci' domain='0' bus='4' slot='0' function='0'/>"
                       "</disk>",
       .live_disk = "vdb"})));
  CHECK(support::blockers(prepared->plan()).empty());
  REQUIRE(prepared->run({}));
  const std::string& xml = scene.cluster.defined.begin()->second;
  CHECK(xml.find("images/live.qcow2") != std::string::npos);
  CHECK(xml.find("alias") == std::string::npos);
}

TEST_CASE("a disk that no definition has blocks", "[restore][plan]") {
  RestoreScene scene;
  const auto prepared =
      support::must(scene.prepare(scene.back_up({.live_disk = "vdb"})));
  CHECK(support::blockers(prepared->plan()) == "definition");
  CHECK(scene.is_untouched());
}

TEST_CASE("a wrong recovery key makes no plan", "[restore][plan]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  CHECK(scene.prepare(snapshot, 1).error().code() == base::ErrorCode::kWrongKey);
}

TEST_CASE("an element is allowed by name", "[restore][plan]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot =
      scene.back_up({.extra_devices = "<hostdev mode='subsystem' type='usb'/>"});
  scene.request.allowed_elements = {"devices/hostdev"};
  const auto prepared = support::must(scene.prepare(snapshot));
  CHECK(support::blockers(prepared->plan()).empty());
}

TEST_CASE("the words of blockers are exact", "[restore][plan]") {
  RestoreScene scene;
  const catalog::Snapshot snapshot = scene.back_up({});
  vm::KnownVm vm = other_vm();
  vm.uuid = base::Uuid::parse(support::kVmUuid).value();
  vm.mac_addresses = {"52:54:00:12:34:56"};
  scene.cluster.host.vms.push_back(vm);
  scene.cluster.secrets[support::kSecretUuid] = {std::byte{1}};
  const auto prepared = support::must(scene.prepare(snapshot));
  CHECK(
      base::render(prepared->run({}).error()) ==
      "error: the VM cannot be restored here; nothing was touched\n"
      "  where: vm web 01 é, snapshot " +
          snapshot.id.hex() +
          "\n"
          "  next:  uuid: this host has a VM of UUID "
          "7e57ab1e-0000-4000-8000-000000000001: other; if that is the VM itself there "
          "is nothing to restore; else put it aside with its NVRAM and vTPM state and "
          "undefine it\n"
          "  next:  mac 52:54:00:12:34:56: the VM \"other\" of this host has it; "
          "change "
          "it there with virsh edit, or restore on another host\n"
          "  next:  secret 5ec2e700-0000-4000-8000-000000000001: this host has a "
          "secret "
          "of this UUID or of usage \"web-vtpm\" with another value; find out which VM "
          "uses it (virsh secret-dumpxml); restore on another host if one does\n");
}

TEST_CASE("the plan of an ordinary VM lists its steps in order", "[restore][plan]") {
  RestoreScene scene;
  const auto prepared = support::must(scene.prepare(scene.back_up({})));
  std::vector<std::string> steps;
  for (const PlanStep& step : prepared->plan().steps) {
    steps.push_back(step.action + " " + step.what);
  }
  CHECK(steps == std::vector<std::string>{
                     "define secret 5ec2e700-0000-4000-8000-000000000001",
                     "create NVRAM", "create vTPM state tpm2-00.permall",
                     "create disk vda (385.0 KiB, qcow2)", "define VM \"web 01 é\""});
  CHECK(support::find_check(prepared->plan(), "source")->state == CheckState::kWarn);
  CHECK(support::find_check(prepared->plan(), "vTPM")->detail ==
        "the protection key opens the guest state: it will unlock there");
}

}  // namespace sealift::restore
