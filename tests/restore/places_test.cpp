#include "restore/places.h"

#include "tests/support/catch.h"

namespace sealift::restore {

namespace {

constexpr const char* kUuid = "7e57ab1e-0000-4000-8000-000000000001";

archive::Component disk(const std::string& target, const std::string& path) {
  archive::Component component;
  component.kind = "disk";
  component.name = target;
  component.attributes["path"] = path;
  return component;
}

archive::Component component(const std::string& kind, const std::string& name) {
  archive::Component made;
  made.kind = kind;
  made.name = name;
  return made;
}

archive::Manifest manifest(std::vector<archive::Component> components,
                           const std::string& name = "web") {
  archive::Manifest made;
  made.vm_name = name;
  made.vm_uuid = kUuid;
  made.components = std::move(components);
  return made;
}

base::Result<Places> places(const archive::Manifest& of) {
  return choose_places(of, {}, vm::TargetHost{}, std::nullopt);
}

}  // namespace

TEST_CASE("a disk keeps a safe name, and gets one of its own else",
          "[restore][places]") {
  struct Case {
    std::string path;
    std::string file;
  };
  const std::string generated = std::string(kUuid) + "-vda.qcow2";
  const Case tried = GENERATE_COPY(values<Case>({
      {"/srv/web.qcow2", "web.qcow2"},
      {"/srv/web.img", "web.qcow2"},
      {"/srv/web.raw", "web.qcow2"},
      {"/srv/web.snap1", "web.snap1.qcow2"},
      {"/srv/Büro 1.img", "Büro 1.qcow2"},
      {"/dev/vg0/web", "web.qcow2"},
      {"", generated},
      {"/srv/..", generated},
      {"/srv/.hidden.img", generated},
      {"/srv/-rf", generated},
      {"/srv/a\nb.img", generated},
      {"/srv/a,b.img", generated},
      {"/srv/a\\..\\b", generated},
      {"/srv/" + std::string(300, 'a'), generated},
  }));
  CAPTURE(tried.path);
  const Places chosen = places(manifest({disk("vda", tried.path)})).value();
  REQUIRE(chosen.disks.size() == 1);
  CHECK(chosen.disks[0].path == "/var/lib/libvirt/images/" + tried.file);
}

TEST_CASE("two disks of one name both find a place", "[restore][places]") {
  const Places chosen =
      places(manifest({disk("vda", "/a/disk.img"), disk("vdb", "/b/disk.qcow2")}))
          .value();
  CHECK(chosen.disks[0].path == "/var/lib/libvirt/images/disk.qcow2");
  CHECK(chosen.disks[1].path.filename() == std::string(kUuid) + "-vdb.qcow2");
}

TEST_CASE("NVRAM and vTPM state go where libvirt looks for them", "[restore][places]") {
  const Places chosen = places(manifest({component("firmware-vars", "x.fd"),
                                         component("guest-state", "tpm2-00.permall")}))
                            .value();
  CHECK(chosen.nvram_path == "/var/lib/libvirt/qemu/nvram/web_VARS.fd");
  CHECK(chosen.guest_state.at(0).path ==
        "/var/lib/libvirt/swtpm/" + std::string(kUuid) + "/tpm2/tpm2-00.permall");

  const Places odd =
      places(manifest({component("firmware-vars", "x.fd")}, "../x")).value();
  CHECK(odd.nvram_path ==
        "/var/lib/libvirt/qemu/nvram/" + std::string(kUuid) + "_VARS.fd");
}

TEST_CASE("names that no writer of ours gives are refused", "[restore][places]") {
  const std::string name = GENERATE("../x", "a/b", "..", ".lock", "");
  CAPTURE(name);
  CHECK(places(manifest({component("guest-state", name)})).error().code() ==
        base::ErrorCode::kCorrupt);
  CHECK(places(manifest({disk(name, "")})).error().code() == base::ErrorCode::kCorrupt);
  archive::Manifest other = manifest({});
  other.vm_uuid = "../../etc";
  CHECK(places(other).error().code() == base::ErrorCode::kCorrupt);
}

TEST_CASE("NVRAM that the snapshot lacks is made anew only for a fresh VM",
          "[restore][places]") {
  vm::DefinitionFacts facts;
  facts.has_nvram = true;
  const auto has_place = [&](std::vector<archive::Component> components,
                             const std::string& verdict) {
    archive::Manifest snapshot = manifest(std::move(components));
    snapshot.verdicts = {{"firmware-vars", verdict, ""}};
    return !choose_places(snapshot, facts, {}, std::nullopt).value().nvram_path.empty();
  };
  CHECK(has_place({}, "absent"));
  CHECK_FALSE(has_place({}, "incomplete"));
  CHECK_FALSE(has_place({component("guest-state", "tpm2-00.permall")}, "absent"));
}

}  // namespace sealift::restore
