#include "backup/verdict.h"

#include "backup/hyperv_verdict.h"
#include "tests/support/catch.h"

namespace sealift::backup {

namespace {

vm::VmDescription trusted_launch_vm() {
  vm::VmDescription vm;
  vm.name = "web-01";
  vm.disks.push_back({});
  vm.disks.back().target = "vda";
  vm.firmware = vm::Firmware{};
  vm.firmware->nvram = "/var/lib/libvirt/qemu/nvram/web-01_VARS.fd";
  vm.vtpm = vm::Vtpm{};
  return vm;
}

vm::CapturedFile nvram() {
  vm::CapturedFile file;
  file.kind = "firmware-vars";
  return file;
}

const archive::Verdict& verdict_of(const std::vector<archive::Verdict>& verdicts,
                                   const std::string& component) {
  for (const archive::Verdict& verdict : verdicts) {
    if (verdict.component == component) return verdict;
  }
  FAIL("no verdict for " << component);
  return verdicts.front();
}

Protection proved() {
  Protection protection;
  protection.guest_state = {"guest-state", "complete", ""};
  protection.protection_key = {"protection-key", "complete", "opens the guest state"};
  return protection;
}

}  // namespace

TEST_CASE("a VM with every component is complete", "[backup]") {
  const auto verdicts = judge(trusted_launch_vm(), {nvram()}, {}, proved());

  CHECK(verdicts.front().component.empty());
  CHECK(verdicts.front().state == "complete");
  CHECK(verdicts.front().reason.empty());
  CHECK(verdict_of(verdicts, "disk vda").state == "complete");
  CHECK(verdict_of(verdicts, "protection-key").reason == "opens the guest state");
  CHECK(verdict_of(verdicts, "runtime-state").state == "absent");
}

TEST_CASE("an unproved protection key makes the whole incomplete, and says why",
          "[backup]") {
  Protection protection = proved();
  protection.protection_key = {"protection-key", "incomplete", "the secret is private"};

  const auto verdicts = judge(trusted_launch_vm(), {nvram()}, {}, protection);

  CHECK(verdicts.front().state == "incomplete");
  CHECK(verdicts.front().reason == "protection-key: the secret is private");
}

TEST_CASE("a missing part makes its component and the whole incomplete", "[backup]") {
  const auto verdicts =
      judge(trusted_launch_vm(), {},
            {{"firmware-vars", "a file of the VM is missing"}, {"disk vdb", "gone"}},
            proved());
  CHECK(verdicts.front().state == "incomplete");
  CHECK(verdicts.front().reason ==
        "firmware-vars: a file of the VM is missing; disk vdb: gone");
  CHECK(verdict_of(verdicts, "firmware-vars").state == "incomplete");
  CHECK(verdict_of(verdicts, "disk vda").state == "complete");
  CHECK(verdict_of(verdicts, "disk vdb").state == "incomplete");
}

TEST_CASE("a VM whose NVRAM file was not there is not said to have it", "[backup]") {
  const auto verdicts = judge(trusted_launch_vm(), {}, {}, proved());
  CHECK(verdict_of(verdicts, "firmware-vars").state == "absent");
}

TEST_CASE("a VM without a vTPM is complete, and the verdict says so", "[backup]") {
  vm::VmDescription vm = trusted_launch_vm();
  vm.vtpm.reset();
  vm.firmware.reset();
  Protection protection;
  protection.guest_state = {"guest-state", "absent", "the VM has no vTPM"};
  protection.protection_key = {"protection-key", "absent", "the VM has no vTPM"};

  const auto verdicts = judge(vm, {}, {}, protection);

  CHECK(verdicts.front().state == "complete");
  CHECK(verdicts.front().reason == "the VM has no vTPM");
  CHECK(verdict_of(verdicts, "firmware-vars").state == "absent");
}

TEST_CASE("a key is needed if only a checkpoint's guest state needs it", "[backup]") {
  vm::Vmgs empty;
  empty.is_empty = true;
  vm::Vmgs by_key;
  by_key.protection = vm::VmgsProtection::kGspKey;
  vm::HypervExport found;
  found.files.resize(2);
  found.files[0].content = empty;
  found.files[1].content = by_key;
  vm::HypervVm one;
  one.guest_state = 0;
  one.files = {0};
  CHECK_FALSE(needs_key(found, one));
  one.files = {0, 1};
  CHECK(needs_key(found, one));
}

}  // namespace sealift::backup
