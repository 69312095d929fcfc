// sealift vm inspect, on the vectors of the formats that it reads.
#include "base/strict_json.h"
#include "tests/cli/command_line.h"

namespace sealift::cli {

namespace {

constexpr const char* kVectors = SEALIFT_SOURCE_DIR "/tests/vectors/";

void copy(const CommandLine& host, const std::string& vector, const std::string& name) {
  const std::filesystem::path to = host.path(name);
  std::filesystem::create_directories(to.parent_path());
  std::filesystem::copy_file(kVectors + vector, to);
}

}  // namespace

TEST_CASE("vm inspect tells a file by what it holds", "[cli]") {
  CommandLine host;
  copy(host, "vmgs/gsp-key.vmgs", "a file");
  const Outcome words = host.run({"vm", "inspect", host.path("a file")});
  CHECK(words.status == 0);
  CHECK_THAT(words.output, Contains("a file: vmgs\n"));
  CHECK_THAT(words.output, Contains("GspKey: the protection key of the cluster's"));
  CHECK_THAT(words.output, Contains("40 and 0"));

  const Outcome json = host.run({"vm", "inspect", "--json", host.path("a file")});
  const auto list = nlohmann::json::parse(json.output);
  REQUIRE(list.size() == 1);
  CHECK(list[0].at("type") == "vmgs");
  CHECK(list[0].at("protection") == "GspKey");
  CHECK(list[0].at("gsp_lengths") == nlohmann::json{40, 0});
  CHECK(list[0].at("sequence") == 8);
}

TEST_CASE("vm inspect reads a folder to its end and names what it refuses", "[cli]") {
  CommandLine host;
  copy(host, "hyperv-storage/vm.vmcx", "export/Virtual Machines/VM.vmcx");
  copy(host, "hyperv-storage/saved.VMRS", "export/Virtual Machines/VM.VMRS");
  copy(host, "vmgs/plain.vmgs", "export/Virtual Machines/VM.vmgs");
  copy(host, "vmgs/make.py", "export/Virtual Hard Disks/no.VHDX");
  copy(host, "vmgs/make.py", "export/make.py");
  copy(host, "keyvault/key.json", "export/keys/AES/vm_256.json");
  copy(host, "vmgs/keys.json", "export/other.json");

  const Outcome outcome = host.run({"vm", "inspect", host.path("export"), "--json"});
  CHECK(outcome.status == 5);
  CHECK_THAT(outcome.error, StartsWith("error: no file of a Hyper-V VM"));
  CHECK_THAT(outcome.error, Contains("no.VHDX"));
  const auto list = nlohmann::json::parse(outcome.output);
  REQUIRE(list.size() == 5);
  CHECK(list[0].at("type") == "refused");
  CHECK(list[0].at("file") == host.path("export/Virtual Hard Disks/no.VHDX"));
  CHECK_THAT(list[0].at("reason").get<std::string>(),
             StartsWith("no file of a Hyper-V VM: "));
  CHECK(list[0].at("exit_status") == 5);
  CHECK(list[0].at("problems").size() == 1);
  CHECK(list[1].at("type") == "hyperv-runtime-state");
  CHECK(list[1].at("saved_memory") == true);
  CHECK(list[2].at("vm_id") == "0f3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a42");
  CHECK(list[2].at("name") == "büro-01");
  CHECK(list[2].at("drives").size() == 2);
  CHECK(list[2].at("remarks") ==
        nlohmann::json{"its name is not the id of its VM, "
                       "0f3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a42",
                       "its guest state is not here: "
                       "0F3C2A64-9C1B-4E61-8D0A-5B1E7C0D9A42.vmgs",
                       "a disk is not here: system.vhdx",
                       "a disk is not here: data.avhdx",
                       "it has 2 checkpoints, and 0 are here"});
  CHECK(list[3].at("protection") == "none");
  CHECK(list[4].at("type") == "wrapped-key");
  CHECK(list[4].at("encoding") == "RSA_AES_KEY_WRAP_256");
  CHECK(list[4].at("bits") == 3072);
}

TEST_CASE("vm inspect compares the files of an export", "[cli]") {
  CommandLine host;
  const std::string id = "0F3C2A64-9C1B-4E61-8D0A-5B1E7C0D9A42";
  copy(host, "hyperv-storage/vm.vmcx", "export/" + id + ".vmcx");
  // Its VM unique id is 2b701019-…, the BIOS GUID of the configuration 5d9e4f0a-….
  copy(host, "vmgs/plain.vmgs", "export/" + id + ".VMGS");
  copy(host, "hyperv-storage/saved.VMRS", "export/" + id + ".vmrs");
  const Outcome outcome = host.run({"vm", "inspect", "--json", host.path("export")});
  CHECK(outcome.status == 0);
  const auto list = nlohmann::json::parse(outcome.output);
  REQUIRE(list.size() == 3);
  CHECK(list[0].at("remarks").size() == 1);
  CHECK_THAT(list[0].at("remarks")[0].get<std::string>(),
             StartsWith("it belongs to another BIOS GUID than its VM"));
  CHECK(list[1].at("remarks") ==
        nlohmann::json{"a disk is not here: system.vhdx",
                       "a disk is not here: data.avhdx",
                       "it has 2 checkpoints, and 0 are here"});
  const Outcome words = host.run({"vm", "inspect", host.path("export")});
  CHECK_THAT(words.output, Contains("\n  !  a disk is not here: system.vhdx\n"));
  // Alone it has nothing to be compared with.
  const Outcome alone =
      host.run({"vm", "inspect", "--json", host.path("export/" + id + ".vmcx")});
  CHECK(nlohmann::json::parse(alone.output)[0].at("remarks").empty());
}

TEST_CASE("vm inspect says why a file is none, by its name, and what to do", "[cli]") {
  CommandLine host;
  const std::string again =
      "next:  copy it again from where it was exported, or export";
  for (const char* name : {"os.vhdx", "VM.vmgs", "VM.vmcx"}) {
    host.write(name, "");
    const Outcome empty = host.run({"vm", "inspect", host.path(name)});
    CHECK(empty.status == 5);
    CHECK_THAT(empty.error, Contains("cause: the file is empty\n"));
    CHECK_THAT(empty.error, Contains(again));
  }
  host.write("os.vhdx", std::string(4096, '\0'));
  const Outcome zeros = host.run({"vm", "inspect", host.path("os.vhdx")});
  CHECK(zeros.status == 5);
  CHECK_THAT(zeros.error, Contains("cause: it does not begin as its name says\n"));
  CHECK_THAT(zeros.error, Contains(again));
  host.write("a.txt", "text");
  const Outcome other = host.run({"vm", "inspect", host.path("a.txt")});
  CHECK_THAT(other.error, Contains("next:  name a .vmcx, .VMRS, .vmgs, "));

  copy(host, "vmgs/plain.vmgs", "torn.vmgs");
  std::filesystem::resize_file(host.path("torn.vmgs"), 8192);
  const Outcome torn = host.run({"vm", "inspect", host.path("torn.vmgs")});
  CHECK(torn.status == 3);
  CHECK_THAT(torn.error, Contains(again));
}

TEST_CASE("vm inspect says what is not there, or damaged", "[cli]") {
  CommandLine host;
  CHECK(host.run({"vm", "inspect", host.path("nothing")}).status == 10);
  std::filesystem::create_directory(host.path("empty"));
  CHECK(host.run({"vm", "inspect", host.path("empty")}).status == 10);
  copy(host, "hyperv-storage/vm.vmcx", "VM.vmcx");
  std::filesystem::resize_file(host.path("VM.vmcx"), 20000);
  const Outcome damaged = host.run({"vm", "inspect", host.path("VM.vmcx")});
  CHECK(damaged.status == 3);
  CHECK_THAT(damaged.error, Contains("VM.vmcx, rule H3"));
  const Outcome as_json = host.run({"vm", "inspect", "--json", host.path("VM.vmcx")});
  CHECK(nlohmann::json::parse(as_json.output)[0].at("rule") == "H3");
  copy(host, "vmgs/empty.vmgs", "never-started.vmgs");
  std::string bytes = host.read("never-started.vmgs");
  bytes[bytes.size() - 400] ^= 1;
  host.write("never-started.vmgs", bytes);
  CHECK(host.run({"vm", "inspect", host.path("never-started.vmgs")}).status == 3);
  host.write("key.json", R"({"public-key": "", "private-key": "AAAA",
    "private-key-wrapping-info": {"key-name": "", "public-key": "",
                                  "enc": "CKM_RSA_AES_KEY_WRAP"}})");
  const Outcome odd = host.run({"vm", "inspect", host.path("key.json")});
  CHECK(odd.status == 3);
  CHECK_THAT(odd.error, StartsWith("error: the key JSON does not say what it is "));
}

}  // namespace sealift::cli
