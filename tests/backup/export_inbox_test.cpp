// Which exports of an inbox are finished, and whether they are what they say.
#include "backup/export_inbox.h"

#include <fstream>

#include "backup/stored_export.h"
#include "base/byte_count.h"
#include "base/filesystem.h"
#include "base/strict_json.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

archive::RepositoryId repository(char digit) {
  return archive::RepositoryId::parse(std::string(64, digit)).value();
}

class InboxScene {
 public:
  fs::path path(const std::string& name) const { return scratch_.path() / name; }
  void write(const std::string& name, std::string_view text) const {
    fs::create_directories(path(name).parent_path());
    std::ofstream(path(name), std::ios::binary) << text;
  }

  /// An export with one file, as the script finishes it.
  base::Json document(const std::string& folder) const {
    write(folder + "/vm/a.vmcx", "content");
    const base::Bytes content =
        base::read_file(path(folder + "/vm/a.vmcx"), 100).value();
    return {{"format", 1},
            {"cluster", "hq"},
            {"host", "NODE-1"},
            {"host_build", "10.0.26100.1"},
            {"created", "2026-11-27T20:15:07Z"},
            {"vms", base::Json::array()},
            {"inventory",
             {{{"id", "7FB16FE7-00A0-476F-92B3-CCB98FD9525A"},
               {"name", "one"},
               {"guest_state_isolation_type", "TrustedLaunch"},
               {"has_key", false}}}},
            {"files",
             {{{"path", "vm/a.vmcx"},
               {"size", 7},
               {"sha256", keyvault::sha256(content).hex()}}}}};
  }
  void finish(const std::string& folder, const base::Json& json) const {
    write(folder + "/sealift-export.json", json.dump());
  }
  void finish(const std::string& folder) const { finish(folder, document(folder)); }

  base::Result<ExportFolders> find(char digit = 'a') const {
    return find_exports(scratch_.path(), repository(digit));
  }

 private:
  support::ScratchFolder scratch_;
};

}  // namespace

TEST_CASE("a folder without the script's files is an export by hand", "[backup]") {
  const InboxScene scene;
  scene.write("vm/a.vmcx", "");
  const ExportFolders found = scene.find().value();
  CHECK_FALSE(found.is_inbox);
  CHECK(found.finished.size() == 1);
}

TEST_CASE("an inbox gives its finished exports, each once", "[backup]") {
  const InboxScene scene;
  scene.finish("one");
  scene.write("two/sealift-export.unfinished", "");
  scene.write("three/vm/a.vmcx", "");
  ExportFolders found = scene.find().value();
  CHECK(found.is_inbox);
  CHECK(found.finished == std::vector{scene.path("one")});
  CHECK(found.not_ours == std::vector{scene.path("three"), scene.path("two")});
  CHECK(found.broken_off.empty());
  const fs::path mark = scene.path("two/sealift-export.unfinished");
  fs::last_write_time(mark, fs::last_write_time(mark) - std::chrono::hours(25));
  CHECK(scene.find().value().broken_off == std::vector{scene.path("two")});

  const ExportDocument document = read_export_document(scene.path("one")).value();
  VmOutcome vm;
  vm.snapshot.vm_uuid = "7fb16fe7-00a0-476f-92b3-ccb98fd9525a";
  vm.snapshot.verdict = "complete";
  const ExportOutcome outcome{scene.path("one"), document.digest, {0}};
  REQUIRE(note_stored_export(outcome, {vm}, repository('a'), base::Timestamp(1)));
  found = scene.find().value();
  CHECK(found.finished.empty());
  CHECK(found.stored == std::vector{scene.path("one")});
  // Another repository has not got it, and another export is not this one.
  CHECK(scene.find('b').value().finished.size() == 1);
  REQUIRE(note_stored_export(outcome, {vm}, repository('b'), base::Timestamp(2)));
  CHECK(scene.find('b').value().stored.size() == 1);
  CHECK(scene.find('a').value().stored.size() == 1);
  base::Json changed = scene.document("one");
  changed["host"] = "NODE-2";
  scene.finish("one", changed);
  CHECK(scene.find().value().finished.size() == 1);
}

TEST_CASE("what is stored has an entry for each repository", "[backup]") {
  const InboxScene scene;
  scene.finish("one");
  const fs::path folder = scene.path("one");
  const fs::path file = folder / "sealift-stored.json";
  VmOutcome vm;
  vm.snapshot.vm_uuid = "7fb16fe7-00a0-476f-92b3-ccb98fd9525a";
  vm.snapshot.verdict = "complete";
  const auto note = [&](char digit, std::int64_t time) {
    const ExportOutcome outcome{folder, read_export_document(folder)->digest, {0}};
    REQUIRE(
        note_stored_export(outcome, {vm}, repository(digit), base::Timestamp(time)));
    return base::Json::parse(base::as_text(base::read_file(file, 4096).value()));
  };
  const std::string digest = read_export_document(folder)->digest.hex();
  // As it was written before.
  scene.write("one/sealift-stored.json",
              base::Json{{"format", 1},
                         {"repository", std::string(64, 'c')},
                         {"export_sha256", digest},
                         {"stored", "2026-11-27T21:10:00Z"},
                         {"snapshots", base::Json::array()}}
                  .dump());
  CHECK(is_stored(folder, repository('c')));
  static_cast<void>(note('a', 1));
  static_cast<void>(note('b', 2));
  const base::Json json = note('a', 3);
  CHECK(json.at("format") == 2);
  CHECK(json.at("export_sha256") == digest);
  REQUIRE(json.at("repositories").size() == 3);
  CHECK(json.at("repositories")[0].at("repository") == std::string(64, 'c'));
  CHECK(json.at("repositories")[1].at("repository") == std::string(64, 'b'));
  CHECK(json.at("repositories")[2].at("stored") == "1970-01-01T00:00:03Z");
  CHECK(json.at("repositories")[2].at("snapshots")[0].at("verdict") == "complete");
  for (const char digit : {'a', 'b', 'c'}) CHECK(is_stored(folder, repository(digit)));
  // Another export is stored nowhere, and what cannot be read counts for nothing.
  base::Json changed = scene.document("one");
  changed["host"] = "NODE-2";
  scene.finish("one", changed);
  CHECK_FALSE(is_stored(folder, repository('a')));
  CHECK(note('b', 4).at("repositories").size() == 1);
  scene.write("one/sealift-stored.json", "{");
  CHECK(note('a', 5).at("repositories").size() == 1);
}

TEST_CASE("a folder above an inbox is neither an inbox nor an export", "[backup]") {
  const InboxScene scene;
  scene.write("inbox/one/sealift-export.unfinished", "");
  const auto found = scene.find();
  REQUIRE_FALSE(found);
  CHECK(found.error().code() == base::ErrorCode::kRefused);
  CHECK(found.error().next_steps() ==
        std::vector{"name the inbox: " + scene.path("inbox").string()});
}

TEST_CASE("a malformed document hides none of the others' inventories", "[backup]") {
  const InboxScene scene;
  scene.finish("one");
  scene.write("two/sealift-export.json", "{");
  const ExportDocuments found = read_documents(scene.path(".")).value();
  CHECK(found.inventories().size() == 1);
  REQUIRE(found.unread.size() == 1);
  CHECK(found.unread.front().error.places().front().name ==
        scene.path("./two/sealift-export.json").string());
}

TEST_CASE("an export that is being written is not touched", "[backup]") {
  const InboxScene scene;
  scene.write("sealift-export.unfinished", "");
  const auto found = scene.find();
  REQUIRE_FALSE(found);
  CHECK(found.error().code() == base::ErrorCode::kBusy);
  scene.finish(".");
  CHECK(scene.find().error().code() == base::ErrorCode::kBusy);
  fs::remove(scene.path("sealift-export.unfinished"));
  CHECK(scene.find().value().is_inbox);
  CHECK(find_exports(scene.path("nothing"), repository('a')).error().code() ==
        base::ErrorCode::kNotFound);
}

TEST_CASE("an export is what its document says, or refused", "[backup]") {
  const InboxScene scene;
  const fs::path folder = scene.path("one");
  scene.finish("one");
  const ExportDocument document = read_export_document(folder).value();
  CHECK(document.cluster == "hq");
  REQUIRE(document.inventory.size() == 1);
  CHECK(document.inventory.front().id == "7fb16fe7-00a0-476f-92b3-ccb98fd9525a");
  CHECK(document.inventory.front().is_trusted_launch);
  const auto cause = [&](const std::vector<fs::path>& used) {
    const base::Status checked = check_export_files(folder, document, used, {});
    if (checked) return std::string();
    CHECK(checked.error().code() == base::ErrorCode::kRefused);
    return checked.error().cause();
  };
  CHECK(cause({folder / "vm/a.vmcx"}).empty());
  CHECK(cause({folder / "vm/b.vmcx"}) == "the export does not name it");
  scene.write("one/vm/a.vmcx", "Content");
  CHECK(cause({}) == "its SHA-256 is another");
  scene.write("one/vm/a.vmcx", "content!");
  CHECK(cause({}) == "it has 8 bytes, not 7");
  fs::remove(folder / "vm/a.vmcx");
  CHECK(cause({}) == "it is not there");
}

TEST_CASE("a document that leads out, or is none, is refused", "[backup]") {
  const InboxScene scene;
  const auto code = [&](const std::string& member, const base::Json& value) {
    base::Json json = scene.document("one");
    json[member] = value;
    scene.finish("one", json);
    const auto read = read_export_document(scene.path("one"));
    return read ? std::optional<base::ErrorCode>() : read.error().code();
  };
  const auto file = [](const char* path) {
    return base::Json{{{"path", path}, {"size", 0}, {"sha256", std::string(64, '0')}}};
  };
  CHECK_FALSE(code("host", "NODE-2"));
  CHECK(code("format", 2) == base::ErrorCode::kUnsupported);
  CHECK(code("files", file("/etc/passwd")) == base::ErrorCode::kCorrupt);
  CHECK(code("files", file("vm/../../x")) == base::ErrorCode::kCorrupt);
  CHECK(code("files", 7) == base::ErrorCode::kCorrupt);
  CHECK(code("inventory", {{{"id", "x"}}}) == base::ErrorCode::kCorrupt);
  scene.write("one/sealift-export.json", "\xef\xbb\xbf{}");
  CHECK(read_export_document(scene.path("one")).error().code() ==
        base::ErrorCode::kCorrupt);
}

}  // namespace sealift::backup
