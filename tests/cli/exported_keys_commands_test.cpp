// Keys that an Azure Local cluster exported, through the commands that read them. What
// the exports are made by reads docs/format alone: tests/integration/hyperv_export.py.
#include <sys/stat.h>

#include <algorithm>

#include "base/strict_json.h"
#include "keyvault/protection_key.h"
#include "tests/cli/command_line.h"
#include "tests/cli/made_export.h"

namespace sealift::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kId = "0f3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a42";
constexpr const char* kFile = "0f3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a42_256.json";
constexpr const char* kOther = "1f3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a43";

/// A host with a repository that knows key-1, and an export of one VM without disks.
class KeyScene {
 public:
  KeyScene() {
    host.make_repository();
    fs::create_directory(host.path("export"));
    make({"vm", host.path("export"), "--id", kId, "--name", "payroll", "--state",
          "gsp-key"});
  }

  static std::string key(std::size_t size = 32) {
    const auto secret =
        keyvault::Secret::copy_of(base::Bytes(size, std::byte{7})).value();
    return keyvault::wrap_protection_key(secret,
                                         CommandLine::recovery_key(1).recipient())
        .value();
  }

  std::string write(const std::string& name, const std::string& text = key()) const {
    fs::create_directories(fs::path(host.path(name)).parent_path());
    host.write(name, text);
    return host.path(name);
  }

  /// sealift-export.json of a folder, whose inventory has this VM.
  void write_document(const std::string& folder, const std::string& vm_id) const {
    write(folder + "/sealift-export.json",
          base::Json{{"format", 1},
                     {"cluster", "hq"},
                     {"host", "NODE-1"},
                     {"host_build", "26100"},
                     {"created", "2026-11-27T20:15:07Z"},
                     {"vms", base::Json::array()},
                     {"inventory",
                      {{{"id", vm_id},
                        {"name", "payroll"},
                        {"guest_state_isolation_type", "TrustedLaunch"},
                        {"has_key", true}}}},
                     {"files", base::Json::array()}}
              .dump());
  }

  Outcome back_up(const std::string& protection_key = "") {
    std::vector<std::string> words{"backup", "--hyperv-export", host.path("export")};
    if (!protection_key.empty()) {
      words.insert(words.end(), {"--protection-key", protection_key});
    }
    return host.run(words);
  }

  base::Json escrow(const std::string& folder, int status = 0) {
    const Outcome done = host.run({"keyvault", "escrow", host.path(folder), "--json"});
    CAPTURE(done.error, done.output);
    REQUIRE(done.status == status);
    return base::Json::parse(done.output);
  }

  CommandLine host;
};

}  // namespace

TEST_CASE("the key in the export is taken, whatever old ones a folder has", "[cli]") {
  KeyScene scene;
  scene.write(std::string("export/Keys/1/AES/") + kFile);
  const std::string old = scene.write(std::string("keys/20200101000000/AES/") + kFile);
  const Outcome taken = scene.back_up(scene.host.path("keys"));
  CAPTURE(taken.error);
  REQUIRE(taken.status == 0);
  REQUIRE(scene.host
              .run({"restore", "payroll", "--identity", scene.host.path("key-1.pem"),
                    "--to-directory", scene.host.path("back")})
              .status == 0);
  CHECK(scene.host.read("back/protection-key.json") ==
        scene.host.read(std::string("export/Keys/1/AES/") + kFile));
  const Outcome refused = scene.back_up(old);
  CHECK(refused.status == 5);
  CHECK_THAT(refused.error, Contains("is another than the one in the export"));
  CHECK_THAT(refused.error, Contains(old));
  CHECK_THAT(refused.error,
             Contains(scene.host.path(std::string("export/Keys/1/AES/") + kFile)));
}

TEST_CASE("of two keys of one name a refusal has both paths", "[cli]") {
  KeyScene scene;
  const std::string dated = scene.write(std::string("keys/20200101000000/") + kFile);
  const std::string undated = scene.write(std::string("keys/a/") + kFile);
  const Outcome refused = scene.back_up(scene.host.path("keys"));
  CHECK(refused.status == 5);
  CHECK_THAT(refused.error, Contains("nothing says which is newer"));
  CHECK_THAT(refused.error, Contains(dated));
  CHECK_THAT(refused.error, Contains(undated));
}

TEST_CASE("a key whose file does not say the VM is said to be assumed", "[cli]") {
  KeyScene scene;
  const Outcome taken = scene.back_up(scene.write("mykey.json"));
  CAPTURE(taken.error);
  REQUIRE(taken.status == 0);
  CHECK_THAT(taken.error, Contains("is taken for payroll"));
  const Outcome shown = scene.host.run({"show", "payroll"});
  CHECK_THAT(shown.output,
             Contains("assumed: the file's name does not say whose key it is"));
  CHECK_THAT(shown.output, !Contains("named after"));
  REQUIRE(scene.back_up(scene.write(kFile)).status == 0);
  CHECK_THAT(scene.host.run({"show", "payroll"}).output,
             Contains("plausible: the file is named after the VM"));
}

TEST_CASE("a file that is named as a key is one, whatever it holds", "[cli]") {
  KeyScene scene;
  const std::string whole = KeyScene::key();
  for (const std::string& text : {std::string(), std::string("\0junk", 5),
                                  whole.substr(0, 700), std::string("{}")}) {
    const std::string file =
        scene.write(std::string("export/Keys/1/AES/") + kFile, text);
    CAPTURE(text);
    const Outcome refused = scene.back_up();
    CHECK(refused.status == 5);
    CHECK_THAT(refused.error, Contains(file));
    CHECK_THAT(refused.error, !Contains("there is no protection key of this VM"));
    const Outcome inspected =
        scene.host.run({"vm", "inspect", scene.host.path("export")});
    CHECK(inspected.status == 3);
    CHECK_THAT(inspected.error, Contains(file));
    const base::Json escrowed = scene.escrow("export", 4);
    CHECK(escrowed.at("keys").at(0).at("state") == "refused");
    CHECK(escrowed.at("keys").at(0).at("file") == file);
    CHECK_THAT(scene.host.run({"keyvault", "escrow", scene.host.path("export")}).output,
               Contains("(" + file + ")"));
    // An older one elsewhere does not mend it.
    scene.write(std::string("keys/20200101000000/AES/") + kFile);
    CHECK(scene.back_up(scene.host.path("keys")).status == 5);
  }
  scene.write(std::string("export/Keys/2/AES/") + kFile);
  const Outcome taken = scene.back_up();
  CAPTURE(taken.error);
  CHECK(taken.status == 0);
}

TEST_CASE("what escrow keeps is a folder for --protection-key", "[cli]") {
  KeyScene scene;
  const std::string file = std::string("inbox/one/Keys/1/AES/") + kFile;
  scene.write(file);
  scene.write_document("inbox/one", kId);
  const base::Json first = scene.escrow("inbox/");
  CHECK(first.at("keys").at(0).at("order") == "first key of the VM");
  const std::string place = std::string("vault/escrow/") + kId;
  const std::string kept = place + "/20261127201507/AES/" + kFile;
  CHECK(first.at("keys").at(0).at("kept") == scene.host.path(kept));
  CHECK(scene.host.read(kept) == scene.host.read(file));
  CHECK(scene.host.mode(kept) == 0600);
  CHECK(scene.escrow("inbox").at("keys").at(0).at("state") == "known");
  // Exported again it is another file, and of another time.
  const std::string newer =
      scene.write(std::string("keys/20270101000000/AES/") + kFile);
  CHECK(scene.escrow("keys").at("keys").at(0).at("order") == "newer key of the VM");
  // Without any time it is of now, the clock of the tests.
  fs::remove_all(scene.host.path("keys"));
  scene.write(std::string("keys/") + kFile);
  const base::Json now = scene.escrow("keys");
  CHECK_THAT(now.at("keys").at(0).at("kept").get<std::string>(),
             Contains("/20270115080000/AES/"));
  for (const std::string& folder : {place, std::string("vault/escrow")}) {
    const Outcome taken = scene.back_up(scene.host.path(folder));
    CAPTURE(folder, taken.error);
    CHECK(taken.status == 0);
  }
  REQUIRE(scene.host
              .run({"restore", "payroll", "--identity", scene.host.path("key-1.pem"),
                    "--to-directory", scene.host.path("back")})
              .status == 0);
  CHECK(scene.host.read("back/protection-key.json") ==
        scene.host.read(std::string("keys/") + kFile));
}

TEST_CASE("a malformed inventory does not keep escrow from the keys", "[cli]") {
  KeyScene scene;
  scene.write(std::string("inbox/one/Keys/1/AES/") + kFile);
  scene.write("inbox/one/sealift-export.json", "{\"format\": 1");
  scene.write_document("inbox/two", kOther);
  const base::Json report = scene.escrow("inbox", 4);
  CHECK(report.at("keys").at(0).at("state") == "new");
  CHECK(report.at("bad_inventories").at(0).at("file") ==
        scene.host.path("inbox/one/sealift-export.json"));
  // The other inventory counts.
  CHECK(report.at("without_key").size() == 1);
  fs::remove_all(scene.host.path("inbox/two"));
  const Outcome words =
      scene.host.run({"keyvault", "escrow", scene.host.path("inbox")});
  CHECK(words.status == 4);
  CHECK_THAT(words.error,
             Contains("inbox/one/sealift-export.json is left out: an export's document "
                      "is malformed"));
  CHECK(scene.host.run({"keyvault", "escrow", scene.host.path("export")}).status == 10);
}

TEST_CASE("a folder of keys may hold many files", "[cli]") {
  KeyScene scene;
  scene.write(std::string("keys/") + kFile);
  for (int n = 0; n < 10'001; ++n) {
    scene.host.write("keys/" + std::to_string(n) + ".txt", "");
  }
  CHECK(scene.escrow("keys").at("keys").size() == 1);
  CHECK(scene.back_up(scene.host.path("keys")).status == 0);
  std::string deep = "deep";
  for (int n = 0; n < 18; ++n) deep += "/d";
  scene.write(deep + "/a.json", "{}");
  const Outcome refused =
      scene.host.run({"keyvault", "escrow", scene.host.path("deep")});
  CHECK(refused.status == 5);
  CHECK_THAT(refused.error, Contains("too large to look for keys in"));
  CHECK_THAT(refused.error, !Contains("Hyper-V"));
}

TEST_CASE("a pipe or a PEM file is no wrapped key, and is not waited for", "[cli]") {
  KeyScene scene;
  const std::string pipe = scene.host.path("pipe.json");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const Outcome inspected = scene.host.run({"keyvault", "inspect", pipe});
  CHECK(inspected.status == 5);
  CHECK_THAT(inspected.error, StartsWith("error: not a regular file"));
  const Outcome given = scene.back_up(pipe);
  CHECK(given.status == 5);
  CHECK_THAT(given.error, Contains("not a regular file"));
  const Outcome pem = scene.back_up(scene.host.path("key-1.pem"));
  CHECK(pem.status == 5);
  CHECK_THAT(pem.error, StartsWith("error: it is a PEM file, not a wrapped key; a "
                                   "private key is never given here"));
  CHECK_THAT(pem.error, Contains("next:  name the .json file"));
  const Outcome junk = scene.back_up(scene.write("junk.json", "{"));
  CHECK(junk.status == 5);
  CHECK_THAT(junk.error, Contains("next:  the file is cut off, or no key"));
}

TEST_CASE("a damaged key JSON is never cited: the key may lie in it plainly", "[cli]") {
  KeyScene scene;
  const std::string secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
  const std::string begin = R"({"public-key":"","private-key":)";
  const std::string end =
      R"(,"private-key-wrapping-info":{"key-name":"","public-key":"",)"
      R"("enc":"NO_KEY_WRAP"}})";
  const std::string text = GENERATE_COPY(
      begin + '"' + secret, begin + '"' + secret + "\n" + secret + '"' + end,
      begin + secret + end, begin + std::string(400, '7') + end,
      begin + '"' + secret + "\",\"" + secret + "\":1,\"" + secret + "\":2" + end);
  const std::string file = scene.write(std::string("export/Keys/1/AES/") + kFile, text);
  const std::string folder = scene.host.path("export");
  const std::vector<std::vector<std::string>> commands{
      {"vm", "inspect", file},
      {"vm", "inspect", folder, "--json"},
      {"keyvault", "inspect", file},
      {"keyvault", "rewrap", file, "--identity", scene.host.path("key-1.pem"), "--to",
       scene.host.path("key-1.pub.pem"), "--out", scene.host.path("new.json")},
      {"keyvault", "escrow", folder, "--json"},
      {"backup", "--hyperv-export", folder}};
  for (const std::vector<std::string>& command : commands) {
    const Outcome refused = scene.host.run(command);
    const std::string said = refused.output + refused.error;
    CAPTURE(said);
    CHECK(refused.status != 0);
    CHECK(said.find(secret.substr(0, 8)) == std::string::npos);
    CHECK(said.find("77777777") == std::string::npos);
  }
}

TEST_CASE("inspect says what is wrong with a VM's key", "[cli]") {
  KeyScene scene;
  const auto inspect = [&](const std::string& name, const std::string& text,
                           const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"keyvault", "inspect", scene.write(name, text)};
    words.insert(words.end(), more.begin(), more.end());
    return scene.host.run(words);
  };
  const std::vector<std::string> open{"--identity", scene.host.path("key-1.pem")};
  const Outcome good = inspect(kFile, KeyScene::key(), open);
  CHECK(good.status == 0);
  CHECK_THAT(good.output, !Contains("problem"));
  const Outcome other_size = inspect(kFile, KeyScene::key(24));
  CHECK(other_size.status == 3);
  CHECK_THAT(other_size.output, Contains("problem: it is no wrapped key of 256 bits"));
  CHECK_THAT(other_size.error, Contains(scene.host.path(kFile)));
  CHECK_THAT(other_size.error, Contains("next:  take another copy of the file"));
  // Its length does not show it, opening it does.
  CHECK(inspect(kFile, KeyScene::key(31)).status == 0);
  const Outcome short_key = inspect(kFile, KeyScene::key(31), open);
  CHECK(short_key.status == 3);
  CHECK_THAT(short_key.output,
             Contains("problem: the key has 31 bytes, and an AES-256 key has 32"));
  // libvirt's may have any size.
  CHECK(inspect("protection-key.json", KeyScene::key(31), open).status == 0);
  std::vector<std::string> as_json = open;
  as_json.emplace_back("--json");
  const auto said =
      base::Json::parse(inspect(kFile, KeyScene::key(31), as_json).output);
  CHECK(said.at("problems").size() == 1);
  CHECK(said.at("key_bytes") == "31");
  const Outcome root =
      inspect("AzureStackTvmAKRootKey_4096.json", KeyScene::key(2370), open);
  CHECK(root.status == 3);
  CHECK_THAT(root.output, Contains("is no RSA private key, which it should be"));
  std::string both = KeyScene::key();
  const std::string empty = R"("public-key":"")";
  both.replace(both.find(empty), empty.size(), R"("public-key":"AAAA")");
  const Outcome odd = inspect(kFile, both);
  CHECK(odd.status == 0);
  CHECK_THAT(odd.output,
             Contains("remark: private-key and public-key hold different things"));
}

TEST_CASE("what is no key for a cluster is not wrapped for one", "[cli]") {
  KeyScene scene;
  base::Json cut = base::Json::parse(KeyScene::key());
  const std::string whole = cut.at("private-key");
  // Base64 of whole bytes, without the last 4 of them and their padding.
  cut["private-key"] = whole.substr(0, whole.size() - 8);
  const auto& [text, words] = GENERATE_COPY(
      std::pair(KeyScene::key(31), "the key has 31 bytes, and an AES-256 key has 32"),
      std::pair(KeyScene::key(24), "it is no wrapped key of 256 bits"),
      std::pair(cut.dump(), "it is no whole wrapped key"));
  const std::string file = scene.write(kFile, text);
  const Outcome refused = scene.host.run(
      {"keyvault", "rewrap", file, "--identity", scene.host.path("key-1.pem"), "--to",
       scene.host.path("key-1.pub.pem"), "--out", scene.host.path("new.json")});
  CHECK(refused.status == 3);
  CHECK_THAT(refused.error, Contains(words));
  CHECK_THAT(refused.error, Contains(file));
  CHECK_FALSE(fs::exists(scene.host.path("new.json")));
}

TEST_CASE("a private key that was left with an export is named", "[cli]") {
  KeyScene scene;
  scene.write(std::string("export/Keys/1/AES/") + kFile);
  const std::string pem = scene.host.read("key-1.pem");
  fs::create_directory(scene.host.path("stick"));
  fs::rename(scene.host.path("export"), scene.host.path("stick/export"));
  const auto back_up = [&] {
    return scene.host.run({"backup", "--hyperv-export", scene.host.path("stick/export"),
                           "--protection-key", scene.host.path("keys")});
  };
  scene.write("keys/other.json", "{}");
  scene.write("keys/public.txt", scene.host.read("key-1.pub.pem"));
  const Outcome clean = back_up();
  CHECK(clean.status == 0);
  CHECK_THAT(clean.error, !Contains("private key"));
  std::string wide = "\xff\xfe";
  for (const char c : pem) wide += std::string{c, '\0'};
  const std::vector<std::string> left{scene.write("keys/b.json.txt", pem),
                                      scene.write("stick/export/deep/er/a.txt", wide),
                                      scene.write("stick/moc-1.pem", pem)};
  scene.write("stick/other.txt", pem);
  const Outcome taken = back_up();
  CHECK(taken.status == 0);
  const std::string inspect = scene.host.path("stick/export/");
  const Outcome words = scene.host.run({"vm", "inspect", inspect});
  const auto list =
      base::Json::parse(scene.host.run({"vm", "inspect", "--json", inspect}).output);
  for (const std::string& file : left) {
    CAPTURE(file, taken.error, words.output);
    CHECK_THAT(taken.error, Contains(file + " holds a private key"));
    if (file == left.front()) continue;
    CHECK_THAT(words.output,
               Contains(file + ": private-key\n  !  holds a private key"));
    CHECK(std::ranges::any_of(list, [&](const base::Json& one) {
      return one.at("file") == file && one.at("type") == "private-key";
    }));
  }
  CHECK_THAT(taken.error, !Contains("other.txt"));
  const std::string secret = pem.substr(pem.size() / 2, 40);
  CHECK_THAT(taken.error + words.output + list.dump(), !Contains(secret));
}

TEST_CASE("a wrong recovery key says which one is wanted", "[cli]") {
  KeyScene scene;
  scene.host.write_recovery_key(2);
  const std::string file = scene.write(kFile);
  const std::string wanted = "next:  give the recovery key that it is wrapped to, " +
                             CommandLine::recovery_key(1).recipient().id().hex();
  const std::string identity = scene.host.path("key-2.pem");
  const Outcome inspected =
      scene.host.run({"keyvault", "inspect", file, "--identity", identity});
  CHECK(inspected.status == 12);
  CHECK_THAT(inspected.error, Contains(wanted));
  const Outcome rewrapped = scene.host.run(
      {"keyvault", "rewrap", file, "--identity", identity, "--to",
       scene.host.path("key-2.pub.pem"), "--out", scene.host.path("new.json")});
  CHECK(rewrapped.status == 12);
  CHECK_THAT(rewrapped.error, Contains(wanted));
}

TEST_CASE("vm inspect says that a VM's key is not there", "[cli]") {
  KeyScene scene;
  const std::vector<std::string> inspect{"vm", "inspect", scene.host.path("export")};
  const std::string remark = "\n  !  no protection key of its VM is here, ";
  CHECK_THAT(scene.host.run(inspect).output, Contains(remark));
  scene.write("export/" + std::string(kOther) + "_256.json");
  CHECK_THAT(scene.host.run(inspect).output, Contains(remark));
  scene.write(std::string("export/Keys/1/AES/") + kFile);
  CHECK_THAT(scene.host.run(inspect).output, !Contains(remark));
}

}  // namespace sealift::cli
