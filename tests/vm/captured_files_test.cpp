#include "vm/captured_files.h"

#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::vm {

namespace {

namespace fs = std::filesystem;

class Guest {
 public:
  support::ScratchFolder folder;
  VmDescription vm;

  Guest() {
    vm.vtpm = Vtpm{};
    vm.vtpm->state_directory = folder.path() / "tpm2";
    vm.firmware = Firmware{};
    vm.firmware->nvram = folder.path() / "web 01_VARS.fd";
  }
  void has_state(const std::string& name = "tpm2-00.permall") {
    fs::create_directories(vm.vtpm->state_directory);
    std::ofstream(vm.vtpm->state_directory / name) << "state";
  }
  void has_nvram() { std::ofstream(vm.firmware->nvram) << "variables"; }
  void runs() { vm.active_xml = "<domain/>"; }

  std::vector<std::string> names(Missing missing = Missing::kFails) const {
    const auto state = read_state_files(vm, missing);
    if (!state) return {state.error().what()};
    std::vector<std::string> found;
    for (const CapturedFile& file : state.value().files) found.push_back(file.name);
    for (const MissingPart& part : state.value().missing) {
      found.push_back("no " + part.component);
    }
    return found;
  }
};

using Names = std::vector<std::string>;
const std::string kLostState = "the VM has a vTPM and its state is missing";
const std::string kLostFile = "a file of the VM is missing";

}  // namespace

TEST_CASE("NVRAM and vTPM state are read, locks and unfinished files are not", "[vm]") {
  Guest guest;
  guest.has_state();
  guest.has_state("tpm2-00.volatilestate");
  guest.has_state(".lock");
  guest.has_state("TMP2-00.permall");
  guest.has_nvram();
  CHECK(guest.names() ==
        Names{"tpm2-00.permall", "tpm2-00.volatilestate", "web_01_VARS.fd"});
}

TEST_CASE("a VM that is off and has no vTPM state was never started", "[vm]") {
  Guest guest;
  CHECK(guest.names().empty());
  guest.has_nvram();  // Made beforehand, with the owner's secure-boot keys.
  CHECK(guest.names() == Names{"web_01_VARS.fd"});
}

TEST_CASE("QEMU's log says whether a vTPM had its state in a folder", "[vm]") {
  const support::ScratchFolder folder;
  const fs::path log = folder.path() / "web.log";
  const fs::path state = "/var/lib/libvirt/swtpm/4d1a9ce1/tpm2";
  CHECK_FALSE(is_named_in(log, state));
  std::ofstream(log) << "starting up\n/usr/bin/swtpm socket --tpmstate dir="
                     << state.string() << ",mode=0600 --tpm2\n";
  CHECK(is_named_in(log, state));
  CHECK_FALSE(is_named_in(log, "/var/lib/libvirt/swtpm/4d1a9ce2/tpm2"));
}

TEST_CASE("a VM that was started and lost its vTPM state is refused", "[vm]") {
  Guest guest;
  guest.has_nvram();
  SECTION("it runs") { guest.runs(); }
  SECTION("its state has no permanent part") {
    guest.has_state("tpm2-00.volatilestate");
  }
  const auto state = read_state_files(guest.vm, Missing::kFails);
  REQUIRE_FALSE(state);
  CHECK(state.error().code() == base::ErrorCode::kRefused);
  CHECK(state.error().what() == kLostState);
  CHECK(state.error().next_steps().size() == 2);
  CHECK(guest.names(Missing::kRecorded) == Names{"web_01_VARS.fd", "no guest-state"});
}

TEST_CASE("a VM that was started and lost its NVRAM is refused", "[vm]") {
  Guest guest;
  guest.has_state();
  if (GENERATE(false, true)) guest.runs();
  CHECK(guest.names() == Names{kLostFile});
  CHECK(guest.names(Missing::kRecorded) ==
        Names{"tpm2-00.permall", "no firmware-vars"});
}

TEST_CASE("what is there and cannot be read is missing too", "[vm]") {
  Guest guest;
  guest.has_state();
  fs::create_directory(guest.vm.firmware->nvram);
  CHECK_FALSE(read_state_files(guest.vm, Missing::kFails));
  CHECK(guest.names(Missing::kRecorded) ==
        Names{"tpm2-00.permall", "no firmware-vars"});
}

}  // namespace sealift::vm
