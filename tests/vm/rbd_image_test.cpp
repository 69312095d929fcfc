#include "vm/rbd_image.h"

#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

base::Result<RbdImage> read(const std::string& content) {
  pugi::xml_document document;
  REQUIRE(
      document.load_string(("<disk type='network'>" + content + "</disk>").c_str()));
  return read_rbd_source(document.child("disk"), "devices/disk[vdb]");
}

const std::string kRaw = "<driver name='qemu' type='raw'/>";

}  // namespace

TEST_CASE("an RBD image is opened as its definition names it", "[vm]") {
  const RbdImage image =
      read(kRaw +
           R"(<source protocol='rbd' name='vms/web "1"'><host name='mon-a' port='3300'/>
           <host name='fd00::1'/><snapshot name='before'/><config file='/etc/ceph/b.conf'/>
           <auth username='libvirt'><secret type='ceph' uuid='u'/></auth></source>)")
          .value();
  CHECK(image.text() == R"(rbd:vms/web "1")");
  CHECK(image.secret_uuid == "u");
  CHECK(rbd_layer(image, "key") ==
        base::Json({{"driver", "rbd"},
                    {"pool", "vms"},
                    {"image", R"(web "1")"},
                    {"read-only", true},
                    {"snapshot", "before"},
                    {"conf", "/etc/ceph/b.conf"},
                    {"server",
                     {{{"host", "mon-a"}, {"port", "3300"}},
                      {{"host", "fd00::1"}, {"port", "0"}}}},
                    {"user", "libvirt"},
                    {"key-secret", "key"},
                    {"auth-client-required", {"cephx", "none"}}}));
}

TEST_CASE("an RBD image without a user is opened as the host's configuration says",
          "[vm]") {
  const RbdImage image = read(kRaw + "<source protocol='rbd' name='a/b'/>").value();
  CHECK(rbd_layer(image, "") ==
        base::Json(
            {{"driver", "rbd"}, {"pool", "a"}, {"image", "b"}, {"read-only", true}}));
}

TEST_CASE("its user may stand beside the source, its key be named by usage", "[vm]") {
  const RbdImage image =
      read(kRaw +
           "<auth username='x'><secret type='ceph' usage='y'/></auth>"
           "<source protocol='rbd' name='a/b'/>")
          .value();
  CHECK(image.user == "x");
  CHECK(image.secret_uuid.empty());
  CHECK(image.secret_usage == "y");
}

TEST_CASE("an RBD image of another form is refused by the name of its element",
          "[vm]") {
  const auto refused = [](const std::string& content) {
    const auto image = read(content);
    REQUIRE_FALSE(image);
    CHECK(image.error().code() == base::ErrorCode::kRefused);
    return image.error().places().front().name;
  };
  for (const std::string name : {"", "image", "/image", "pool/", "pool/space/image"}) {
    CHECK(refused(kRaw + "<source protocol='rbd' name='" + name + "'/>") ==
          "devices/disk[vdb]/source[@name='" + name + "']");
  }
  CHECK(refused("<driver type='qcow2'/><source protocol='rbd' name='a/b'/>") ==
        "devices/disk[vdb]/driver");
}

}  // namespace sealift::vm
