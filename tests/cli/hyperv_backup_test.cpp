// VMs that Hyper-V exported, from the folder into the repository and back. What the
// exports are made by reads docs/format alone: tests/integration/hyperv_export.py.
#include <sys/stat.h>

#include <chrono>
#include <random>

#include "base/byte_count.h"
#include "base/filesystem.h"
#include "base/strict_json.h"
#include "keyvault/digest.h"
#include "tests/cli/command_line.h"
#include "tests/cli/made_export.h"
#include "tests/support/hyperv_fixtures.h"

namespace sealift::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kId = "0f3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a42";
constexpr const char* kKey =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const keyvault::RecoveryKey& moc_key() {
  static const auto key = keyvault::RecoveryKey::generate(2048).value();
  return key;
}

/// A host with a repository that knows moc.pem, and an export of one VM.
class ExportScene {
 public:
  ExportScene() {
    host.write_recovery_key(1);
    host.write("moc.pem", base::as_text(moc_key().to_pem(nullptr).value().view()));
    host.write("moc.pub.pem", moc_key().recipient().spki_pem());
    REQUIRE(host.run({"keyvault", "init"}).status == 0);
    const Outcome made =
        host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem"),
                  "--recipient", host.path("moc.pub.pem")});
    REQUIRE(made.status == 0);
    constexpr std::size_t kIdDigits = 64;
    repository_id = made.output.substr(0, kIdDigits);
  }

  /// noise  A file to write into a disk; "" for none.
  void make_export(const std::string& state = "gsp-key",
                   const std::string& noise = "") {
    const std::string disks = host.path("export/Virtual Hard Disks");
    fs::create_directories(disks);
    must_run({"qemu-img", "create", "-q", "-f", "vhdx", "-o", "block_size=1M",
              disks + "/base.vhdx", "16M"});
    must_run({"qemu-io", "-f", "vhdx", "-c", "write -q -P 0x41 2M 1M",
              disks + "/base.vhdx"});
    if (!noise.empty()) {
      must_run({"qemu-io", "-f", "vhdx", "-c", "write -q -s " + noise + " 4M 4M",
                disks + "/base.vhdx"});
    }
    make({"child", disks + "/base.vhdx", disks + "/data disk.avhdx"});
    make({"vm", host.path("export"), "--id", kId, "--name", "payroll", "--disk",
          "DATA disk.avhdx", "--state", state});
    make({"key", kKey, host.path("moc.pub.pem"),
          host.path("keys/20251127201507/AES/" + std::string(kId) + "_256.json")});
  }

  Outcome back_up(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{
        "backup",           "--hyperv-export", host.path("export"),
        "--protection-key", host.path("keys"), "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return host.run(words);
  }

  /// Writes what the script writes last, as made by `node`.
  void finish_export(const std::string& node,
                     const base::Json& inventory = base::Json::array(),
                     const std::string& created = "2026-11-27T20:15:07Z",
                     const base::Json& vms = base::Json::array()) const {
    base::Json files = base::Json::array();
    for (const auto& entry : fs::recursive_directory_iterator(host.path("export"))) {
      const std::string path = fs::relative(entry.path(), host.path("export")).string();
      if (!entry.is_regular_file() || path.starts_with("sealift-")) continue;
      const base::Bytes bytes = base::read_file(entry.path(), base::kGiB).value();
      files.push_back({{"path", path},
                       {"size", bytes.size()},
                       {"sha256", keyvault::sha256(bytes).hex()}});
    }
    host.write("export/sealift-export.json", base::Json{{"format", 1},
                                                        {"cluster", "hq"},
                                                        {"host", node},
                                                        {"host_build", "26100"},
                                                        {"created", created},
                                                        {"vms", vms},
                                                        {"inventory", inventory},
                                                        {"files", files}}
                                                 .dump());
  }

  Outcome restore(const std::string& id, const std::string& folder,
                  const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"restore",        id,
                                   "--identity",     host.path("key-1.pem"),
                                   "--to-directory", host.path(folder)};
    words.insert(words.end(), more.begin(), more.end());
    return host.run(words);
  }

  /// Into "back", for a cluster with the wrapping key "wrap-1"; what its record says.
  base::Json restore_wrapped(const std::string& id) {
    host.write_recovery_key(2);
    const Outcome restored =
        restore(id, "back",
                {"--wrap-to", host.path("key-2.pub.pem"), "--wrapping-key-name",
                 "wrap-1", "--key-identity", host.path("moc.pem")});
    REQUIRE(restored.status == 0);
    return base::Json::parse(host.read("back/sealift-restore.json"));
  }

  bool is_same(const std::string& a, const std::string& b) const {
    return host.read(a) == host.read(b);
  }

  CommandLine host;
  std::string repository_id;
};

std::string id_of(const Outcome& outcome) {
  CAPTURE(outcome.error);
  REQUIRE(outcome.status == 0);
  return base::Json::parse(outcome.output).at("id");
}

}  // namespace

TEST_CASE("an exported VM goes into the repository and comes back", "[cli]") {
  ExportScene scene;
  scene.make_export();
  const Outcome taken = scene.back_up();
  const std::string id = id_of(taken);
  const auto snapshot = base::Json::parse(taken.output);
  CHECK(snapshot.at("vm") == "payroll");
  CHECK(snapshot.at("vm_uuid") == kId);
  CHECK(snapshot.at("verdict") == "complete");
  CHECK(snapshot.at("kind") == "full");

  const Outcome shown = scene.host.run({"show", id});
  CHECK_THAT(shown.output, Contains("not provable off the cluster"));
  CHECK_THAT(shown.output, Contains("key recipient 1 of 1"));
  const Outcome verified =
      scene.host.run({"verify", id, "--identity", scene.host.path("key-1.pem")});
  CHECK(verified.status == 0);
  CHECK_THAT(verified.output + verified.error, Contains("off the cluster"));

  const Outcome restored = scene.restore(id, "back");
  CAPTURE(restored.error);
  REQUIRE(restored.status == 0);
  const std::string machine = std::string("Virtual Machines/") +
                              "0F3C2A64-9C1B-4E61-"
                              "8D0A-5B1E7C0D9A42";
  for (const std::string& name :
       {machine + ".vmcx", machine + ".VMRS", machine + ".vmgs"}) {
    CHECK(scene.is_same("export/" + name, "back/" + name));
  }
  const std::string child = "Virtual Hard Disks/data disk.avhdx";
  const std::string before = scene.host.read("export/" + child);
  const std::string after = scene.host.read("back/" + child);
  CHECK(before.size() == after.size());
  CHECK(before.find("stalestale") != std::string::npos);
  CHECK(after.find("stalestale") == std::string::npos);
  CHECK(scene.is_same("back/protection-key.json",
                      "keys/20251127201507/AES/" + std::string(kId) + "_256.json"));
  struct stat found {};
  REQUIRE(::stat(scene.host.path("back/Virtual Machines").c_str(), &found) == 0);
  CHECK((found.st_mode & 0777U) == 0700);
  CHECK_FALSE(fs::exists(scene.host.path("back/RUNBOOK.md")));
  CHECK(scene.host.run({"restore", id, "--identity", scene.host.path("key-1.pem")})
            .status != 0);

  const std::string every = id_of(scene.back_up({"--every-byte"}));
  REQUIRE(scene.restore(every, "every").status == 0);
  CHECK(scene.is_same("export/" + child, "every/" + child));
}

TEST_CASE("its key is wrapped to the target's, with a runbook", "[cli]") {
  ExportScene scene;
  scene.make_export();
  const std::string id = id_of(scene.back_up());
  scene.host.write_recovery_key(2);
  const std::vector<std::string> to{"--wrap-to", scene.host.path("key-2.pub.pem"),
                                    "--wrapping-key-name", "wrap-1"};
  const Outcome wrong = scene.restore(id, "back", to);
  CHECK(wrong.status == 12);
  CHECK_FALSE(fs::exists(scene.host.path("back")));
  std::vector<std::string> with_key = to;
  with_key.insert(with_key.end(), {"--key-identity", scene.host.path("moc.pem")});
  const Outcome restored = scene.restore(id, "back", with_key);
  CAPTURE(restored.error);
  REQUIRE(restored.status == 0);
  CHECK_THAT(restored.error, Contains("RUNBOOK.md"));
  const auto said = base::Json::parse(scene.host.read("back/sealift-restore.json"));
  CHECK(said.at("vm_id") == kId);
  CHECK(said.at("guest_state") == "GspKey");
  CHECK(said.at("wrapping_key_name") == "wrap-1");
  CHECK(said.at("files").size() == 5);
  REQUIRE(said.at("keys").size() == 1);
  const std::string path = said.at("keys")[0].at("path");
  CHECK_THAT(path, EndsWith("/AES/" + std::string(kId) + "_256.json"));
  const Outcome revealed = scene.host.run(
      {"keyvault", "reveal", scene.host.path("back/" + path), "--identity",
       scene.host.path("key-2.pem"), "--out", scene.host.path("plain")});
  CHECK(revealed.status == 0);
  CHECK(base::to_hex(base::as_bytes(scene.host.read("plain"))) == kKey);
  // What belongs together is asked for together.
  CHECK(scene.host
            .run({"restore", id, "--identity", scene.host.path("key-1.pem"),
                  "--wrap-to", scene.host.path("key-2.pub.pem")})
            .status == 2);
  CHECK(scene.restore(id, "other", {"--wrapping-key-name", "x"}).status == 2);
}

TEST_CASE("without its key an encrypted guest state is refused", "[cli]") {
  ExportScene scene;
  scene.make_export();
  fs::remove_all(scene.host.path("keys"));
  fs::create_directory(scene.host.path("keys"));
  scene.host.write("keys/other.json", "{}");
  const Outcome refused = scene.back_up();
  CHECK(refused.status == 5);
  CHECK_THAT(refused.error, Contains("this VM can never start again from this backup"));
  const auto failed = base::Json::parse(refused.output);
  CHECK(failed.at("verdict") == "failed");
  REQUIRE(failed.at("problems").size() == 1);
  CHECK_THAT(failed.at("problems")[0].get<std::string>(),
             StartsWith("there is no protection key of this VM"));
  CHECK(failed.at("reason") == failed.at("error"));
  // Others need none.
  for (const char* state : {"empty", "gsp-by-id"}) {
    make({"vm", scene.host.path("export"), "--id", kId, "--name", "payroll", "--disk",
          "data disk.avhdx", "--state", state, "--bios",
          "2b701019-2816-4a85-9692-3981f1af4423"});
    const Outcome taken = scene.back_up();
    CAPTURE(state, taken.error);
    CHECK(taken.status == 0);
    const bool is_bound = taken.error.find("GspById") != std::string::npos;
    CHECK(is_bound == (std::string(state) == "gsp-by-id"));
  }
}

TEST_CASE("a differencing disk goes on from the snapshot before", "[cli]") {
  ExportScene scene;
  scene.make_export();
  static_cast<void>(id_of(scene.back_up()));
  const std::string base_disk = "export/Virtual Hard Disks/base.vhdx";
  const std::string base_before = scene.host.read(base_disk);
  make({"child", scene.host.path(base_disk),
        scene.host.path("export/Virtual Hard Disks/data disk.avhdx"), "--seed", "2"});
  fs::rename(scene.host.path(base_disk), scene.host.path("aside"));
  const Outcome second = scene.back_up();
  const std::string id = id_of(second);
  CHECK(base::Json::parse(second.output).at("kind") == "incremental");
  CHECK(base::Json::parse(second.output).at("stored_bytes") < 4 * base::kMiB);
  REQUIRE(scene.restore(id, "back").status == 0);
  must_run({"qemu-img", "compare", scene.host.path("aside"),
            scene.host.path("back/Virtual Hard Disks/base.vhdx")});
  // A host that has no snapshot has nothing to go on from.
  CommandLine other;
  other.make_repository();
  fs::remove_all(scene.host.path("export/Virtual Machines"));
  make({"vm", scene.host.path("export"), "--id", kId, "--name", "payroll", "--disk",
        "data disk.avhdx", "--state", "empty"});
  const Outcome refused =
      other.run({"backup", "--hyperv-export", scene.host.path("export")});
  CHECK(refused.status == 5);
  CHECK_THAT(refused.error, Contains("the parent of a differencing disk is not in"));
}

TEST_CASE("another host's disks are nothing to go on from", "[cli]") {
  ExportScene scene;
  scene.make_export();
  static_cast<void>(id_of(scene.back_up()));
  fs::remove(scene.host.path("export/Virtual Hard Disks/base.vhdx"));
  CHECK(scene.back_up().status == 0);
  scene.host.become_fresh_host();
  scene.host.variables["SEALIFT_KEYVAULT"] = scene.host.path("vault-2");
  REQUIRE(scene.host.run({"keyvault", "init"}).status == 0);
  const Outcome joined =
      scene.host.run({"repo", "join", "--repo-id", scene.repository_id, "--identity",
                      scene.host.path("key-1.pem")});
  CAPTURE(joined.error);
  REQUIRE(joined.status == 0);
  const Outcome refused = scene.back_up();
  CHECK(refused.status == 5);
  CHECK_THAT(refused.error, Contains("this host has no earlier snapshot of the VM"));
}

TEST_CASE("a VM of the inventory that was never stored is named", "[cli]") {
  ExportScene scene;
  scene.make_export();
  const auto listed = [](const char* id, const char* name) {
    return base::Json{{"id", id},
                      {"name", name},
                      {"guest_state_isolation_type", "TrustedLaunch"},
                      {"has_key", true}};
  };
  scene.finish_export("NODE-1",
                      {listed(kId, "payroll"),
                       listed("1d3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a43", "forgotten")});
  const Outcome taken = scene.back_up();
  CHECK(taken.status == 4);
  CHECK_THAT(taken.error, Contains("forgotten (1d3c2a64"));
  CHECK(taken.error.find("payroll (") == std::string::npos);
}

TEST_CASE("an export holds the VMs that it says, and no others", "[cli]") {
  ExportScene scene;
  scene.make_export("empty");
  fs::remove_all(scene.host.path("keys"));
  fs::create_directory(scene.host.path("keys"));
  scene.host.write("keys/other.json", "{}");
  const auto said = [](const char* id, const char* name, const char* key_member,
                       bool has_key) {
    return base::Json{{"id", id},
                      {"name", name},
                      {"guest_state_isolation_type", "TrustedLaunch"},
                      {key_member, has_key}};
  };
  const auto list = [](std::vector<base::Json> vms) { return base::Json(vms); };
  const base::Json inventory = list({said(kId, "payroll", "has_key", true)});
  const std::string stored = scene.host.path("export/sealift-stored.json");
  const auto back_up = [&](const base::Json& listed, const base::Json& vms) {
    scene.finish_export("NODE-1", listed, "2026-11-27T20:15:07Z", vms);
    fs::remove(stored);
    return scene.back_up();
  };
  const base::Json keyless = said(kId, "payroll", "protection_key", false);
  const Outcome good = back_up(inventory, list({keyless}));
  CHECK(good.status == 0);
  CHECK_THAT(good.error, !Contains("payroll ("));
  CHECK(fs::exists(stored));
  const Outcome without_key =
      back_up(inventory, list({said(kId, "payroll", "protection_key", true)}));
  CHECK(without_key.status == 4);
  CHECK_THAT(without_key.error,
             Contains("says its sealift-export.json, and no protection key of it"));
  CHECK_FALSE(fs::exists(stored));
  const Outcome without_files =
      back_up(inventory, list({keyless, said("1d3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a43",
                                             "gone", "protection_key", false)}));
  CHECK(without_files.status == 4);
  CHECK_THAT(without_files.error, Contains("gone (1d3c2a64"));
  CHECK_THAT(without_files.error, Contains("and no configuration of it is there"));
  CHECK_FALSE(fs::exists(stored));
  const Outcome stranger = back_up(base::Json::array(), base::Json::array());
  CHECK(stranger.status == 0);
  CHECK_THAT(stranger.error,
             Contains("the cluster's inventory there does not know it"));
}

TEST_CASE("an export is noted as stored once it was read back", "[cli]") {
  ExportScene scene;
  scene.make_export();
  scene.finish_export("NODE-1");
  CHECK(scene.back_up().status == 0);
  const fs::path stored = scene.host.path("export/sealift-stored.json");
  CHECK(fs::exists(stored));
  CHECK(scene.back_up().output.empty());
  // The same disks again: they lie in the first volume, and that is damaged now.
  for (const auto& entry :
       fs::recursive_directory_iterator(scene.host.path("repository"))) {
    if (entry.path().extension() != ".tar") continue;
    std::fstream volume(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    volume.seekp(static_cast<std::streamoff>(fs::file_size(entry.path()) / 4));
    volume.write("damage", 6);
  }
  fs::remove(stored);
  scene.finish_export("NODE-2");
  const Outcome second = scene.back_up();
  CHECK(second.status == 3);
  CHECK_FALSE(fs::exists(stored));
}

TEST_CASE("an older export does not become the latest unnoticed", "[cli]") {
  ExportScene scene;
  scene.make_export();
  const auto finish = [&](const std::string& day) {
    scene.finish_export("NODE-1", base::Json::array(), day + "T20:15:07Z");
    fs::remove(scene.host.path("export/sealift-stored.json"));
  };
  finish("2026-11-27");
  const std::string newer = id_of(scene.back_up());
  finish("2026-11-26");
  const Outcome refused = scene.back_up();
  CHECK(refused.status == 5);
  CHECK_THAT(refused.error, StartsWith("error: a newer state of the VM is stored"));
  CHECK_THAT(refused.error, Contains("the export is of 2026-11-26T20:15:07Z"));
  CHECK_THAT(refused.error, Contains(newer));
  CHECK_THAT(refused.error, Contains("of 2026-11-27T20:15:07Z"));
  CHECK_THAT(refused.error, Contains("--allow-older"));
  CHECK_FALSE(fs::exists(scene.host.path("export/sealift-stored.json")));
  finish("2026-11-27");
  CHECK(scene.back_up().status == 0);
  finish("2026-11-28");
  CHECK(scene.back_up().status == 0);
  finish("2026-11-26");
  const Outcome allowed = scene.back_up({"--allow-older"});
  const std::string older = id_of(allowed);
  CHECK_THAT(allowed.error, Contains("the older state is VM@latest now"));
  CHECK_THAT(scene.host.run({"show", older}).output, Contains("an older state: "));
}

TEST_CASE("an older export by hand is known by its newest file", "[cli]") {
  ExportScene scene;
  scene.make_export();
  const auto age = [&](int days) {
    for (const auto& entry :
         fs::recursive_directory_iterator(scene.host.path("export")))
      fs::last_write_time(entry.path(),
                          fs::file_time_type::clock::now() - std::chrono::days(days));
  };
  const std::string doubt = "it may be an older state than what is stored";
  age(2);
  CHECK_THAT(scene.back_up().error, !Contains(doubt));
  CHECK_THAT(scene.back_up().error, !Contains(doubt));
  // When files were copied says little: it is stored, and both places say it.
  age(3);
  const Outcome doubtful = scene.back_up();
  CHECK(doubtful.status == 0);
  CHECK_THAT(doubtful.error, Contains(doubt));
  CHECK_THAT(doubtful.error, Contains("going by its newest file"));
  CHECK_THAT(scene.host.run({"show", "payroll@latest"}).output, Contains(doubt));
  // Against a time that the script wrote it says enough.
  scene.finish_export("NODE-1", base::Json::array(), "2027-01-01T00:00:00Z");
  CHECK(scene.back_up().status == 0);
  fs::remove(scene.host.path("export/sealift-export.json"));
  fs::remove(scene.host.path("export/sealift-stored.json"));
  const Outcome refused = scene.back_up();
  CHECK(refused.status == 5);
  CHECK_THAT(refused.error, Contains("going by its newest file"));
}

TEST_CASE("of an inbox the oldest export is stored first", "[cli]") {
  ExportScene scene;
  scene.make_export();
  fs::create_directory(scene.host.path("inbox"));
  for (const auto& [name, day] : {std::pair("a", "2026-11-27"), {"b", "2026-11-26"}}) {
    scene.finish_export("NODE-1", base::Json::array(), std::string(day) + "T20:15:07Z");
    fs::copy(scene.host.path("export"), scene.host.path("inbox/" + std::string(name)),
             fs::copy_options::recursive);
  }
  const Outcome taken =
      scene.host.run({"backup", "--hyperv-export", scene.host.path("inbox"),
                      "--protection-key", scene.host.path("keys")});
  CAPTURE(taken.error);
  CHECK(taken.status == 0);
  const Outcome shown = scene.host.run({"show", "payroll@latest", "--json"});
  CHECK(base::Json::parse(shown.output).at("consistency").at("exported") ==
        "2026-11-27T20:15:07Z");
}

TEST_CASE("options of an export and of libvirt do not mix", "[cli]") {
  ExportScene scene;
  for (const char* other :
       {"--all", "--full", "--estimate", "--require-agent", "--allow-incomplete"}) {
    CHECK(scene.host.run({"backup", "--hyperv-export", "x", other}).status == 2);
  }
  CHECK(scene.host.run({"backup", "web-01", "--hyperv-export", "x"}).status == 2);
  CHECK(scene.host.run({"backup", "web-01", "--every-byte"}).status == 2);
  CHECK(scene.host.run({"backup", "web-01", "--protection-key", "x"}).status == 2);
  CHECK(scene.host.run({"backup", "--hyperv-export", scene.host.path("none")}).status ==
        10);
  fs::create_directory(scene.host.path("empty"));
  CHECK(
      scene.host.run({"backup", "--hyperv-export", scene.host.path("empty")}).status ==
      10);
}

TEST_CASE("Microsoft's files go through backup and restore", "[cli][fixtures]") {
  const auto fixtures = support::hyperv_fixtures("");
  if (!fixtures) return;
  CommandLine host;
  host.write_recovery_key(1);
  host.write_recovery_key(2);
  const fs::path moc = *fixtures / "moc-generated";
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  REQUIRE(host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem"),
                    "--recipient", (moc / "public.pem").string()})
              .status == 0);
  const std::string name = "7FB16FE7-00A0-476F-92B3-CCB98FD9525A";
  const std::string folder = host.path("export/Virtual Machines");
  fs::create_directories(folder);
  fs::copy_file(*fixtures / "vmcx-generated" / (name + ".vmcx"),
                folder + "/" + name + ".vmcx");
  fs::copy_file(*fixtures / "hyperv/88D07DD7-705E-4A4F-BDAF-3418782784ED.VMRS",
                folder + "/" + name + ".VMRS");
  const base::Bytes state = support::gunzip(
      *fixtures / "vmgs-generated/tvm-gspkey-HYPOTHETICAL-aeskw.vmgs.gz");
  const Outcome inspected =
      host.run({"vm", "inspect", "--json", folder + "/" + name + ".vmcx"});
  const auto facts = base::Json::parse(inspected.output).at(0);
  const std::string state_path = facts.at("guest_state");
  host.write(
      "export/Virtual Machines/" + state_path.substr(state_path.find_last_of('\\') + 1),
      base::as_text(state));
  for (const auto& drive : facts.at("drives")) {
    const std::string path = drive.at("path");
    must_run({"qemu-img", "create", "-q", "-f", "vhdx",
              host.path("export/" + path.substr(path.find_last_of('\\') + 1)), "64M"});
  }
  const Outcome taken =
      host.run({"backup", "--hyperv-export", host.path("export"), "--protection-key",
                (moc / "root").string(), "--json"});
  const std::string id = id_of(taken);
  CHECK(base::Json::parse(taken.output).at("vm") == "tvm-payroll-01");
  const Outcome restored = host.run(
      {"restore", id, "--identity", host.path("key-1.pem"), "--to-directory",
       host.path("back"), "--wrap-to", host.path("key-2.pub.pem"), "--key-identity",
       (moc / "private.pem").string(), "--wrapping-key-name", "w"});
  CAPTURE(restored.error);
  CHECK(restored.status == 0);
  must_run({"diff", "-r", "-x", "*.json", "-x", "RUNBOOK.md", "-x", "protection-keys",
            host.path("export"), host.path("back")});
  for (const auto& bad : fs::directory_iterator(moc / "bad")) {
    // That one bit is wrong only who opens it can tell.
    if (bad.path().filename().string().starts_with("flipped")) continue;
    CAPTURE(bad.path());
    CHECK(host.run({"backup", "--hyperv-export", host.path("export"),
                    "--protection-key", bad.path().string()})
              .status == 5);
  }
}

TEST_CASE("a stray guest state is nobody's, and changes no runbook", "[cli]") {
  ExportScene scene;
  scene.make_export();
  make({"vm", scene.host.path("other"), "--id", kId, "--name", "payroll", "--state",
        "empty"});
  const std::string own = "/Virtual Machines/0F3C2A64-9C1B-4E61-8D0A-5B1E7C0D9A42";
  for (const char* ending : {".vmgs", ".VMRS"}) {
    fs::copy_file(scene.host.path("other" + own + ending),
                  scene.host.path("export/Virtual Machines/old" + std::string(ending)));
  }
  const Outcome taken = scene.back_up();
  const std::string id = id_of(taken);
  CHECK_THAT(taken.error, Contains("old.vmgs belongs to no VM here and is not stored"));
  CHECK_THAT(taken.error, Contains("old.VMRS belongs to no VM here and is not stored"));
  const base::Json said = scene.restore_wrapped(id);
  CHECK(said.at("guest_state") == "GspKey");
  CHECK(said.at("keys").size() == 1);
}

TEST_CASE("what needs no key imports none, and its wrapping key is removed", "[cli]") {
  ExportScene scene;
  scene.make_export("empty");
  const std::string id = id_of(scene.back_up());
  const base::Json said = scene.restore_wrapped(id);
  CHECK(said.at("keys").empty());
  const std::string runbook = scene.host.read("back/RUNBOOK.md");
  CHECK_THAT(runbook, Contains("Remove-MocKey -name 'wrap-1'"));
  CHECK_THAT(runbook, Contains("-RemoveWrappingKey 'wrap-1'"));
  CHECK_THAT(runbook, !Contains("There is no wrapping key to remove"));
}

TEST_CASE("a folder inside an export is not taken for one", "[cli]") {
  ExportScene scene;
  scene.make_export();
  fs::create_directories(scene.host.path("inbox/b"));
  fs::rename(scene.host.path("export"), scene.host.path("inbox/b/payroll"));
  const std::string mark =
      GENERATE(as<std::string>(), "sealift-export.unfinished", "sealift-export.json");
  scene.host.write("inbox/b/" + mark, "");
  const Outcome refused =
      scene.host.run({"backup", "--hyperv-export", scene.host.path("inbox/b/payroll"),
                      "--protection-key", scene.host.path("keys")});
  CHECK(refused.status == 5);
  CHECK_THAT(refused.error, Contains("the folder is a part of an export"));
  CHECK_THAT(refused.error, Contains("name the export: " + scene.host.path("inbox/b")));
}

TEST_CASE("a file that is not stored is named, and its export stays", "[cli]") {
  ExportScene scene;
  scene.make_export();
  const bool came_later = GENERATE(false, true);
  if (came_later) scene.finish_export("NODE-1");
  scene.host.write("export/old.vhd", "disk");
  if (!came_later) scene.finish_export("NODE-1");
  const Outcome taken = scene.back_up();
  CHECK(taken.status == 4);
  CHECK_THAT(taken.error, Contains("old.vhd is no file of a VM that Sealift knows"));
  CHECK_FALSE(fs::exists(scene.host.path("export/sealift-stored.json")));
}

TEST_CASE("a VM under a name that a restore writes is refused", "[cli]") {
  ExportScene scene;
  scene.make_export();
  const std::string name =
      GENERATE(as<std::string>(), "RUNBOOK.md", "protection-key.2.json",
               "Protection-Keys", "SEALIFT-restore.json");
  fs::rename(scene.host.path("export"), scene.host.path("aside"));
  fs::create_directory(scene.host.path("export"));
  fs::rename(scene.host.path("aside"), scene.host.path("export/" + name));
  const Outcome refused = scene.back_up();
  CHECK(refused.status == 5);
  CHECK_THAT(refused.error, Contains("a restore writes a file of its own"));
}

TEST_CASE("a run keeps to its write limit", "[cli]") {
  using namespace std::chrono_literals;
  ExportScene scene;
  std::string noise;
  std::minstd_rand random(1);
  while (noise.size() < 4 * base::kMiB) {
    noise.push_back(static_cast<char>((random() >> 8U) & 0xffU));
  }
  scene.host.write("noise", noise);
  scene.make_export("gsp-key", scene.host.path("noise"));
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome = scene.back_up({"--write-limit", "1"});
  const auto spent = std::chrono::steady_clock::now() - begin;
  const std::string id = id_of(outcome);
  const auto stored =
      base::Json::parse(scene.host.run({"show", id, "--json"}).output)["stored_bytes"];
  CHECK(stored >= 4 * base::kMiB);
  // The first MiB is there at once, and what is stored last nobody waits for.
  CHECK(spent >= 2s);
}

}  // namespace sealift::cli
