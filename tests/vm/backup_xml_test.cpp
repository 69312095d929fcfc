#include "vm/backup_xml.h"

#include "tests/support/catch.h"

namespace sealift::vm {

TEST_CASE("names from outside are escaped in what libvirt is asked for", "[vm]") {
  const std::string xml = backup_xml("/a'b/<s>", {{"vda", "/x & y", ""}}, {"sda"});
  CHECK(xml ==
        "<domainbackup mode=\"pull\">\n"
        "  <server transport=\"unix\" socket=\"/a'b/&lt;s>\" />\n"
        "  <disks>\n"
        "    <disk name=\"vda\" backup=\"yes\" type=\"file\">\n"
        "      <driver type=\"qcow2\" />\n"
        "      <scratch file=\"/x &amp; y\" />\n"
        "    </disk>\n"
        "    <disk name=\"sda\" backup=\"no\" />\n"
        "  </disks>\n"
        "</domainbackup>\n");
}

TEST_CASE("changes are asked for disk by disk", "[vm]") {
  const std::string xml =
      backup_xml("/s", {{"vda", "/x", "cp-1"}, {"vdb", "/y", ""}}, {});
  CHECK(xml.find("<disk name=\"vda\" backup=\"yes\" type=\"file\" "
                 "backupmode=\"incremental\" incremental=\"cp-1\" "
                 "exportbitmap=\"changes-vda\">") != std::string::npos);
  CHECK(xml.find("<disk name=\"vdb\" backup=\"yes\" type=\"file\">") !=
        std::string::npos);
}

TEST_CASE("a checkpoint names every disk, with a bitmap or without", "[vm]") {
  const std::string xml = checkpoint_xml("sealift-1", {"vda"}, {"vdb", "sda"});
  CHECK(xml.find("<name>sealift-1</name>") != std::string::npos);
  CHECK(xml.find("<disk name=\"vda\" checkpoint=\"bitmap\" />") != std::string::npos);
  CHECK(xml.find("<disk name=\"vdb\" checkpoint=\"no\" />") != std::string::npos);
  CHECK(xml.find("<disk name=\"sda\" checkpoint=\"no\" />") != std::string::npos);
}

}  // namespace sealift::vm
