// What an operator gets of a VM that Hyper-V exported, and what is refused on the way.
#include "base/byte_count.h"
#include "base/filesystem.h"
#include "base/strict_json.h"
#include "keyvault/digest.h"
#include "tests/cli/command_line.h"
#include "tests/cli/made_export.h"

namespace sealift::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kId = "0f3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a42";
constexpr const char* kKey =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr const char* kBios = "2b701019-2816-4a85-9692-3981f1af4423";  // Of the .vmgs.
constexpr const char* kWrapKey = "target.pub.pem";

const keyvault::RecoveryKey& small_key(std::size_t number) {
  static const std::vector<keyvault::RecoveryKey> keys = [] {
    std::vector<keyvault::RecoveryKey> made;
    for (int at = 0; at < 3; ++at) {
      made.push_back(keyvault::RecoveryKey::generate(2048).value());
    }
    return made;
  }();
  return keys.at(number);
}

/// A repository with two keys for keys, moc-0 and moc-1, and one snapshot of a VM whose
/// key was exported for both, by hand.
class RestoreByHand {
 public:
  RestoreByHand() {
    host.write_recovery_key(1);
    for (std::size_t at = 0; at < 2; ++at) {
      const std::string name = "moc-" + std::to_string(at);
      host.write(name + ".pem",
                 base::as_text(small_key(at).to_pem(nullptr).value().view()));
      host.write(name + ".pub.pem", small_key(at).recipient().spki_pem());
    }
    host.write(kWrapKey, small_key(2).recipient().spki_pem());
    REQUIRE(host.run({"keyvault", "init"}).status == 0);
    REQUIRE(host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem"),
                      "--recipient", host.path("moc-0.pub.pem"), "--recipient",
                      host.path("moc-1.pub.pem")})
                .status == 0);
    fs::create_directories(host.path("export/Virtual Hard Disks"));
    must_run({"qemu-img", "create", "-q", "-f", "vhdx", "-o", "block_size=1M",
              disk("os disk.vhdx"), "16M"});
    must_run({"qemu-io", "-f", "vhdx", "-c", "write -q -P 0x41 2M 1M",
              disk("os disk.vhdx")});
    make_vm("os disk.vhdx", "gsp-key");
    for (const std::string number : {"0", "1"}) {
      make({"key", kKey, host.path("moc-" + number + ".pub.pem"),
            host.path("keys/2025112720150" + number + "/AES/" + kId + "_256.json")});
    }
    back_up();
  }

  void make_vm(const std::string& disk, const std::string& state) const {
    make({"vm", host.path("export"), "--id", kId, "--name", "payroll", "--disk", disk,
          "--state", state, "--bios", kBios});
  }

  void back_up() {
    const Outcome taken = host.run({"backup", "--hyperv-export", host.path("export"),
                                    "--protection-key", host.path("keys"), "--json"});
    CAPTURE(taken.error);
    REQUIRE(taken.status == 0);
    id = base::Json::parse(taken.output).at("id");
  }

  std::string disk(const std::string& name) const {
    return host.path("export/Virtual Hard Disks/" + name);
  }

  /// Its runbook, for the wrapping key "w"; what was restored is removed again.
  std::string runbook() {
    const Outcome restored = restore_wrapped(
        {"--key-identity", host.path("moc-1.pem"), "--wrapping-key-name", "w"});
    CAPTURE(restored.error);
    REQUIRE(restored.status == 0);
    const std::string page = host.read("back/RUNBOOK.md");
    fs::remove_all(host.path("back"));
    return page;
  }

  Outcome restore(const std::vector<std::string>& more) {
    std::vector<std::string> words{"restore",        id,
                                   "--identity",     host.path("key-1.pem"),
                                   "--to-directory", host.path("back")};
    words.insert(words.end(), more.begin(), more.end());
    return host.run(words);
  }

  Outcome restore_wrapped(const std::vector<std::string>& more) {
    std::vector<std::string> words{"--wrap-to", host.path(kWrapKey)};
    words.insert(words.end(), more.begin(), more.end());
    return restore(words);
  }

  bool is_untouched() const { return !fs::exists(host.path("back")); }

  CommandLine host;
  std::string id;
};

std::string id_of(std::size_t number) {
  return small_key(number).recipient().id().hex();
}

}  // namespace

TEST_CASE("sealift-restore.json has the SHA-256 of every file as it lies there",
          "[cli]") {
  RestoreByHand scene;
  const Outcome restored = scene.restore_wrapped(
      {"--key-identity", scene.host.path("moc-1.pem"), "--wrapping-key-name", "w"});
  CAPTURE(restored.error);
  REQUIRE(restored.status == 0);
  const auto said = base::Json::parse(scene.host.read("back/sealift-restore.json"));
  REQUIRE(said.at("files").size() == 4);
  REQUIRE(said.at("keys").size() == 1);
  for (const char* list : {"files", "keys"}) {
    for (const auto& file : said.at(list)) {
      const std::string text =
          scene.host.read("back/" + file.at("path").get<std::string>());
      CHECK(file.at("sha256") == keyvault::sha256(base::as_bytes(text)).hex());
    }
  }
}

TEST_CASE("the runbook names the key file that was opened, and the key that opens it",
          "[cli]") {
  RestoreByHand scene;
  std::string member;
  const Outcome shown = scene.host.run({"show", scene.id, "--json"});
  const auto details = base::Json::parse(shown.output);
  for (const auto& entry : details.at("protection_keys")) {
    if (entry.at("recipient") == id_of(1)) member = entry.at("member");
  }
  REQUIRE_FALSE(member.empty());
  const Outcome restored = scene.restore_wrapped(
      {"--key-identity", scene.host.path("moc-1.pem"), "--wrapping-key-name", "w"});
  REQUIRE(restored.status == 0);
  const std::string page = scene.host.read("back/RUNBOOK.md");
  CHECK_THAT(page, Contains("keyvault reveal '" + member + "' --identity MOC-KEY.pem"));
  CHECK_THAT(page, Contains(id_of(1)));
  CHECK_THAT(page, !Contains(id_of(0)));
  CHECK(fs::exists(scene.host.path("back/" + member)));
  // The time beside the id is the one that list shows.
  const std::string created = details.at("created");
  CHECK_THAT(page, Contains("`" + scene.id + "`, " + created));
}

TEST_CASE("a new VM is made around the end of a chain, not around its parents",
          "[cli]") {
  RestoreByHand scene;
  scene.make_vm("os disk.vhdx", "gsp-by-id");
  scene.back_up();
  CHECK_THAT(scene.runbook(), Contains("$disks = @(\n"
                                       "  ('Virtual Hard Disks\\os disk.vhdx'))\n"
                                       "$parents = @()\n"));
  make({"child", scene.disk("os disk.vhdx"), scene.disk("os disk_1.avhdx")});
  make({"child", scene.disk("os disk_1.avhdx"), scene.disk("os disk_2.avhdx"), "--seed",
        "2"});
  scene.make_vm("os disk_2.avhdx", "gsp-by-id");
  const std::string chain =
      "$disks = @(\n"
      "  ('Virtual Hard Disks\\os disk_2.avhdx'))\n"
      "$parents = @(\n"
      "  ('Virtual Hard Disks\\os disk_1.avhdx'),\n"
      "  ('Virtual Hard Disks\\os disk.vhdx'))\n";
  scene.back_up();
  CHECK_THAT(scene.runbook(), Contains(chain));
  // What was in a drive before hangs below now, and comes from the earlier snapshot.
  make({"child", scene.disk("os disk_2.avhdx"), scene.disk("os disk_3.avhdx"), "--seed",
        "3"});
  scene.make_vm("os disk_3.avhdx", "gsp-by-id");
  fs::remove(scene.disk("os disk.vhdx"));
  fs::remove(scene.disk("os disk_1.avhdx"));
  fs::remove(scene.disk("os disk_2.avhdx"));
  scene.back_up();
  CHECK_THAT(scene.runbook(), Contains("$disks = @(\n"
                                       "  ('Virtual Hard Disks\\os disk_3.avhdx'))\n"
                                       "$parents = @(\n"
                                       "  ('Virtual Hard Disks\\os disk_2.avhdx'),\n"));
}

TEST_CASE("a key that only a checkpoint needs is handed over", "[cli]") {
  RestoreByHand scene;
  scene.make_vm("os disk.vhdx", "empty");
  scene.back_up();
  const std::string without = scene.runbook();
  CHECK_THAT(without, Contains("No key is imported for this VM"));
  CHECK_THAT(without,
             Contains("/AES/" + std::string(kId) + "_256.json` | not imported"));
  make({"vm", scene.host.path("other"), "--id", kId, "--name", "payroll", "--state",
        "gsp-key"});
  const std::string machine = "Virtual Machines/0F3C2A64-9C1B-4E61-8D0A-5B1E7C0D9A42";
  const std::string checkpoint = "3D3C2A64-9C1B-4E61-8D0A-5B1E7C0D9A45";
  fs::create_directory(scene.host.path("export/Snapshots"));
  for (const auto& [ending, name] : std::map<std::string, std::string>{
           {".vmcx", checkpoint},
           {".VMRS", checkpoint},
           {".vmgs", "0F3C2A64-9C1B-4E61-8D0A-5B1E7C0D9A42"}}) {
    fs::copy_file(scene.host.path("other/" + machine + ending),
                  scene.host.path("export/Snapshots/" + name + ending));
  }
  const Outcome inspected =
      scene.host.run({"vm", "inspect", scene.host.path("export"), "--json"});
  for (const auto& file : base::Json::parse(inspected.output)) {
    if (file.at("type") != "vmgs") continue;
    const bool lacks_key = base::Json(file.at("remarks"))
                               .dump()
                               .find("no protection key of its VM is here, " +
                                     std::string(kId)) != std::string::npos;
    CHECK(lacks_key == (file.at("file").get<std::string>().find("/Snapshots/") !=
                        std::string::npos));
  }
  scene.back_up();
  const Outcome restored = scene.restore_wrapped(
      {"--key-identity", scene.host.path("moc-1.pem"), "--wrapping-key-name", "w"});
  CAPTURE(restored.error);
  REQUIRE(restored.status == 0);
  const auto said = base::Json::parse(scene.host.read("back/sealift-restore.json"));
  CHECK(said.at("guest_state") == "empty");
  CHECK(said.at("keys").size() == 1);
  const std::string page = scene.host.read("back/RUNBOOK.md");
  CHECK_THAT(page, Contains("**A checkpoint of this VM needs its key.**"));
  CHECK_THAT(page, Contains("Import-MocKey -name $keyName"));
}

TEST_CASE("what is wrapped to a recovery key no cluster imports", "[cli]") {
  RestoreByHand scene;
  for (const char* key : {"key-1.pub.pem", "moc-0.pub.pem", "moc-1.pub.pem"}) {
    CAPTURE(key);
    const Outcome refused =
        scene.restore({"--wrap-to", scene.host.path(key), "--key-identity",
                       scene.host.path("moc-1.pem")});
    CHECK(refused.status == 5);
    CHECK_THAT(refused.error, Contains("no cluster can import what is wrapped to it"));
    CHECK_THAT(refused.error, Contains("-NewWrappingKey"));
    CHECK(scene.is_untouched());
  }
}

TEST_CASE("a wrapping key has a name of its own, in any case", "[cli]") {
  RestoreByHand scene;
  std::string upper = kId;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) {
    return static_cast<char>(std::toupper(c));
  });
  for (const std::string& name :
       {std::string("AzureStackTvmAKRootKey"), std::string("azurestacktvmakrootkey"),
        std::string(kId), upper}) {
    CAPTURE(name);
    const Outcome refused = scene.restore_wrapped(
        {"--key-identity", scene.host.path("moc-0.pem"), "--wrapping-key-name", name});
    CHECK(refused.status == 5);
    CHECK_THAT(refused.error, Contains("named like a key of the source"));
    CHECK(scene.is_untouched());
  }
}

TEST_CASE("a recovery key for keys that opens none is a wrong key", "[cli]") {
  RestoreByHand scene;
  scene.host.write("other.pem",
                   base::as_text(small_key(2).to_pem(nullptr).value().view()));
  const std::string other = scene.host.path("other.pem");
  const std::vector<std::string> verify{"verify", scene.id, "--identity",
                                        scene.host.path("key-1.pem")};
  CHECK(scene.host.run(verify).status == 0);
  std::vector<std::string> with_wrong = verify;
  with_wrong.insert(with_wrong.end(), {"--key-identity", other});
  scene.host.write(
      kWrapKey, keyvault::RecoveryKey::generate(2048).value().recipient().spki_pem());
  for (const Outcome& wrong :
       {scene.host.run(with_wrong), scene.restore_wrapped({"--key-identity", other})}) {
    CHECK(wrong.status == 12);
    CHECK_THAT(wrong.error, Contains(other));
    CHECK_THAT(wrong.error, Contains(id_of(0)));
    CHECK_THAT(wrong.error, Contains(id_of(1)));
    CHECK(scene.is_untouched());
  }
  std::vector<std::string> with_right = verify;
  with_right.insert(with_right.end(), {"--key-identity", scene.host.path("moc-0.pem")});
  CHECK(scene.host.run(with_right).status == 0);
}

TEST_CASE("a wrong passphrase of the key for keys names its option", "[cli]") {
  RestoreByHand scene;
  const auto secret = keyvault::Secret::copy_of(base::as_bytes("right"));
  REQUIRE(secret);
  scene.host.write("locked.pem",
                   base::as_text(small_key(0).to_pem(&secret.value()).value().view()));
  scene.host.write("wrong", "wrong\n");
  scene.host.write("right", "right\n");
  const auto verify = [&scene](const std::string& file) {
    return scene.host.run({"verify", scene.id, "--identity",
                           scene.host.path("key-1.pem"), "--key-identity",
                           scene.host.path("locked.pem"), "--key-passphrase-file",
                           scene.host.path(file)});
  };
  const Outcome wrong = verify("wrong");
  CHECK(wrong.status == 12);
  CHECK_THAT(wrong.error, Contains("--key-passphrase-file"));
  CHECK(verify("right").status == 0);
  const Outcome absent = verify("absent");
  CHECK(absent.status == 10);
  CHECK_THAT(absent.error, Contains("--key-passphrase-file"));
}

TEST_CASE("the sheet says which recovery key opens what", "[cli]") {
  RestoreByHand scene;
  REQUIRE(scene.host.run({"repo", "sheet", "--out", scene.host.path("sheet.html")})
              .status == 0);
  const std::string page = scene.host.read("sheet.html");
  CHECK_THAT(page, !Contains("everything, alone"));
  CHECK_THAT(page, Contains("opens every archive"));
  CHECK_THAT(page, Contains("opens Azure Local's keys only"));
  CHECK_THAT(page, Contains("--wrapping-key-name NAME\n"));
}

TEST_CASE("of an export that was made by hand show names no cluster", "[cli]") {
  RestoreByHand scene;
  const Outcome shown = scene.host.run({"show", scene.id});
  CHECK_THAT(shown.output, Contains("read by host-a; the export was made by hand"));
  CHECK_THAT(shown.output, !Contains("cluster host-a"));
}

}  // namespace sealift::cli
