#include "vm/live_disks.h"

#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

std::string domain(const std::string& devices) {
  return "<domain><devices><emulator>/e</emulator>" + devices + "</devices></domain>";
}

std::string disk(const std::string& target, const std::string& more = "",
                 const std::string& device = "disk") {
  return "<disk type='file' device='" + device + "'><source file='/srv/" + target +
         "'/><target dev='" + target + "'/>" + more + "</disk>";
}

using Targets = std::vector<std::string>;

}  // namespace

TEST_CASE("a definition whose disks are those of the running VM stays as it is",
          "[vm]") {
  const std::string stored = domain(disk("vda"));
  for (const std::string& live :
       {std::string(), domain(disk("vda", "<alias name='x'/>"))}) {
    const LiveDisks disks = with_live_disks(stored, live).value();
    CHECK(disks.xml == stored);
    CHECK(words_of(disks).empty());
  }
}

TEST_CASE("a disk of the running VM alone joins the definition, without its address",
          "[vm]") {
  const LiveDisks disks =
      with_live_disks(
          domain(disk("vda")),
          domain(disk("vda") + disk("vdb", "<alias name='x'/><address type='pci'/>")))
          .value();
  CHECK(disks.only_live == Targets{"vdb"});
  CHECK(disks.only_stored.empty());
  CHECK(disks.xml.find("/srv/vdb") != std::string::npos);
  CHECK(disks.xml.find("alias") == std::string::npos);
  CHECK(disks.xml.find("address") == std::string::npos);
  CHECK(
      words_of(disks) ==
      Targets{"disk vdb: attached to the running VM only, not in its stored "
              "definition; it is in the snapshot, and a restore attaches it for good"});
}

TEST_CASE("a disk of the stored definition alone leaves it", "[vm]") {
  const LiveDisks disks =
      with_live_disks(domain(disk("vda") + disk("vdb") + disk("vdc")),
                      domain(disk("vda")))
          .value();
  CHECK(disks.only_stored == Targets{"vdb", "vdc"});
  CHECK(disks.xml.find("/srv/vdb") == std::string::npos);
  CHECK(disks.xml.find("/srv/vdc") == std::string::npos);
  CHECK(disks.xml.find("/srv/vda") != std::string::npos);
}

TEST_CASE("drives with removable media are left alone", "[vm]") {
  const std::string stored = domain(disk("sda", "", "cdrom"));
  CHECK(with_live_disks(stored, domain(disk("sdb", "", "cdrom"))).value().xml ==
        stored);
}

TEST_CASE("what is no definition is refused", "[vm]") {
  CHECK(with_live_disks("<domain", domain("")).error().code() ==
        base::ErrorCode::kCorrupt);
  CHECK(with_live_disks(domain(""), "<network/>").error().code() ==
        base::ErrorCode::kCorrupt);
}

}  // namespace sealift::vm
