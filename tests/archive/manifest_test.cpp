// Manifests are refused by the rule they break: M1 to M7.
#include "archive/manifest.h"

#include "tests/archive/archive_fixture.h"
#include "tests/support/catch.h"

namespace sealift::archive {

TEST_CASE("a manifest is refused by the rule it breaks", "[archive][format]") {
  Manifest good = ArchiveFixture::description();
  good.chunk_size = kTestChunkSize;
  Component disk;
  disk.kind = "disk";
  disk.name = "vda";
  disk.size = 257 * kTestChunkSize;
  disk.depth = 2;
  good.components = {disk};
  const base::Bytes id_key = repeated(32, 9);
  const auto rule_of_text = [](std::string_view text) {
    const auto parsed = parse_manifest(base::as_bytes(text));
    return parsed ? std::string() : parsed.error().places().front().name;
  };
  const auto with = [&](const std::function<void(Manifest&)>& change) {
    Manifest manifest = good;
    change(manifest);
    return rule_of_text(to_json_text(manifest, id_key));
  };
  const std::string text = to_json_text(good, id_key);
  const auto changed = [&](std::string whole, std::string_view from,
                           std::string_view to) {
    whole.replace(whole.find(from), from.size(), to);
    return rule_of_text(whole);
  };
  const auto with_text = [&](std::string_view from, std::string_view to) {
    return changed(text, from, to);
  };
  CHECK(rule_of_text(text).empty());
  CHECK(rule_of_text("") == "M1");
  CHECK(rule_of_text(text + text) == "M1");
  CHECK(with_text("\"host\"", "\"guest\"") == "M1");
  CHECK(with_text("\"host\":\"host-1\"", "\"host\":1") == "M1");
  CHECK(with_text("\"depth\":2", "\"depth\":-2") == "M1");
  CHECK(with_text("\"depth\":2", "\"depth\":2,\"path\":\"x\"") == "M1");
  CHECK(with_text("\"format\":1", "\"format\":2") == "M2");
  CHECK(with_text("\"format\":1", "\"format\":0") == "M1");
  CHECK(with([](Manifest& manifest) { manifest.vm_uuid = "none"; }) == "M3");
  CHECK(with([](Manifest& manifest) { manifest.vm_uuid[0] = 'F'; }) == "M3");
  CHECK(with([](Manifest& manifest) { manifest.vm_name = ""; }) == "M3");
  CHECK(with([](Manifest& manifest) { manifest.platform = "vmware"; }) == "M3");
  CHECK(with([](Manifest& manifest) { manifest.kind = "Full"; }) == "M3");
  CHECK(with([](Manifest& manifest) { manifest.read = "none"; }) == "M3");
  CHECK(with([](Manifest& manifest) { manifest.verdicts.clear(); }) == "M3");
  CHECK(with([](Manifest& manifest) { manifest.verdicts[0].state = "fine"; }) == "M3");
  for (const char* name : {"", ".", "..", "../x", "a/b", "a b", "\xc3\xa9"}) {
    CHECK(with([&](Manifest& manifest) { manifest.components[0].name = name; }) ==
          "M3");
  }
  CHECK(with([](Manifest& manifest) { manifest.components[0].kind = "tape"; }) == "M3");
  CHECK(with([](Manifest& manifest) {
          manifest.components[0].scope = IdScope::kPrivate;
        }) == "M3");
  CHECK(with([](Manifest& manifest) { manifest.components[0].kind = "config"; }) ==
        "M3");
  CHECK(with_text("2026-11-23T17", "2026-11-23 17") == "M3");
  CHECK(with_text("\"root\":\"00", "\"root\":\"zz") == "M3");
  CHECK(with_text("\"id_key\":\"09", "\"id_key\":\"") == "M3");
  CHECK(with([](Manifest& manifest) { manifest.components[0].depth = 1; }) == "M4");
  CHECK(with([](Manifest& manifest) { manifest.components[0].size = 5; }) == "M4");
  CHECK(with([](Manifest& manifest) {
          manifest.components[0].size = (std::uint64_t{1} << 50U) + 1;
          manifest.components[0].depth = 5;
        }) == "M4");
  CHECK(with([](Manifest& manifest) {
          manifest.components[0].size = 0;
          manifest.components[0].depth = 0;
          manifest.components[0].root = ChunkId::from(repeated(32, 1));
        }) == "M4");
  CHECK(with([](Manifest& manifest) { manifest.chunk_size = 65'537; }) == "M4");
  CHECK(with([](Manifest& manifest) { manifest.chunk_size = 32'768; }) == "M4");
  CHECK(with([](Manifest& manifest) {
          manifest.components.push_back(manifest.components[0]);
        }) == "M5");
  CHECK(with([](Manifest& manifest) {
          manifest.components[0].kind = "tape";
          manifest.components[0].scope = IdScope::kPrivate;
        }) == "M3");
  CHECK(with([](Manifest& manifest) {
          manifest.components[0].name = std::string(256, 'a');
        }) == "M3");
  CHECK(with_text("\"scope\":\"shared\"", "\"scope\":\"everybody\"") == "M3");
  good.components[0].kind = "config";
  good.components[0].scope = IdScope::kPrivate;
  good.protection_keys.resize(1);
  const std::string other_text = to_json_text(good, id_key);
  CHECK(rule_of_text(other_text).empty());
  CHECK(changed(other_text, "\"scope\":\"private\"", "\"scope\":\"everybody\"") ==
        "M3");
  CHECK(changed(other_text, "\"usage\":", "\"path\":\"\",\"usage\":") == "M1");
  CHECK(with_text("\"host\":", "\"guest\":1,\"host\":") == "M1");
  CHECK(with_text("\"versions\":{\"qemu\":\"7.2\"}", "\"versions\":[]") == "M1");
  CHECK(with_text("\"protection_keys\":[]", "\"protection_keys\":{}") == "M1");
  CHECK(with_text("\"id_key\":\"09", "\"id_key\":\"0x") == "M3");
  CHECK(with_text("\"depth\":2", "\"depth\":4294967298") == "M4");
  CHECK(with_text("\"reason\":\"\"", "\"reason\":\"\",\"advice\":\"\"") == "M1");
  const std::string long_text(65'537, 'x');
  const std::vector<std::function<void(Manifest&)>> too_much{
      [](Manifest& manifest) { manifest.vm_name = std::string(256, 'h'); },
      [](Manifest& manifest) { manifest.cluster = std::string(256, 'h'); },
      [](Manifest& manifest) { manifest.host = std::string(256, 'h'); },
      [](Manifest& manifest) { manifest.versions[std::string(256, 'h')] = ""; },
      [&](Manifest& manifest) { manifest.consistency["x"] = long_text; },
      [&](Manifest& manifest) { manifest.components[0].attributes["x"] = long_text; },
      [&](Manifest& manifest) { manifest.verdicts[0].component = long_text; },
      [&](Manifest& manifest) { manifest.verdicts[0].reason = long_text; },
      [](Manifest& manifest) { manifest.protection_keys.resize(65); },
      [&](Manifest& manifest) {
        manifest.protection_keys.resize(1);
        manifest.protection_keys[0].key_name = long_text;
      }};
  for (const auto& change : too_much) CHECK(with(change) == "M6");
  CHECK(with([](Manifest& manifest) {
          manifest.components.resize(4097, manifest.components[0]);
        }) == "M6");
  CHECK(with([](Manifest& manifest) {
          manifest.verdicts.resize(8193, manifest.verdicts[0]);
        }) == "M6");
  CHECK(with([](Manifest& manifest) {
          manifest.versions["x"] = std::string(65'537, 'x');
        }) == "M6");
  CHECK(with([](Manifest& manifest) {
          for (int i = 0; i < 1025; ++i) manifest.versions[std::to_string(i)] = "";
        }) == "M6");
}

TEST_CASE("what a manifest says is absent is absent, and nothing else", "[archive]") {
  Manifest manifest;
  manifest.verdicts = {{"", "incomplete", ""},
                       {"disk vda", "complete", ""},
                       {"disk vdb", "absent", "it cannot be read"}};
  CHECK(is_said_absent(manifest, "disk vdb"));
  CHECK_FALSE(is_said_absent(manifest, "disk vda"));
  CHECK_FALSE(is_said_absent(manifest, ""));
}

TEST_CASE("a manifest that is not this repository's is refused by rule M7",
          "[archive][format]") {
  const ArchiveFixture fixture;
  const auto snapshot = must(fixture.write(default_content()));
  const Volume last = must(fixture.open(volume_name(snapshot.id, 1)));
  VolumeSource source = fixture.reading();
  source.chunk_size = 2 * kTestChunkSize;
  const TestLocator locator;
  const auto reader =
      SnapshotReader::open(source, last, TestKeys::get().repository, nullptr, locator);
  REQUIRE_FALSE(reader);
  CHECK(reader.error().places().front().name == "M7");
}

TEST_CASE("the files of a Hyper-V VM have paths of their own", "[archive][format]") {
  const auto rule_with = [](const std::vector<std::string>& paths) {
    Manifest manifest = ArchiveFixture::description();
    manifest.platform = "hyper-v";
    manifest.chunk_size = kTestChunkSize;
    for (const std::string& path : paths) {
      Component file;
      file.kind = "config";
      file.name = "c" + std::to_string(manifest.components.size());
      file.scope = IdScope::kPrivate;
      if (path != "-") file.attributes[kExportPath] = path;
      manifest.components.push_back(std::move(file));
    }
    const std::string text = to_json_text(manifest, repeated(32, 9));
    const auto parsed = parse_manifest(base::as_bytes(text));
    return parsed ? std::string() : parsed.error().places().front().name;
  };
  const std::string deep = "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a";  // 16 names.
  const std::string deepest = deep + "/" + deep + "/" + deep + "/" + deep;
  CHECK(rule_with({"Virtual Machines/\xc3\xbc.vmgs", ". .", deepest}).empty());
  CHECK(rule_with({"a/b", "a/b.c", "a.b", "a-b/c"}).empty());
  for (const std::string& path :
       {std::string("-"), std::string(), std::string("/a"), std::string("a/"),
        std::string("a//b"), std::string("."), std::string("a/.."), std::string("../a"),
        std::string("a\\b"), std::string("a\nb"), std::string("a\x7f"),
        std::string(256, 'n'), deepest + "/a"}) {
    CAPTURE(path);
    CHECK(rule_with({path}) == "M9");
  }
  CHECK(rule_with({"a/b", "c", "a/b"}) == "M9");
  CHECK(rule_with({"a/b", "a"}) == "M9");
  CHECK(rule_with({"a", "a-b", "a.c", "a/b/c"}) == "M9");
}

}  // namespace sealift::archive
