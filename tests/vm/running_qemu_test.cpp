#include "vm/running_qemu.h"

#include "tests/support/catch.h"

namespace sealift::vm {

TEST_CASE("the running QEMU is the last one that the domain's log names", "[vm]") {
  const std::string log =
      "2026-01-01 10:00:00.000+0000: starting up libvirt version: 9.0.0, package: "
      "9.0.0-4+deb12u2, qemu version: 9.1.0, kernel: 6.1.0, hostname: a\n"
      "2026-01-02 10:00:00.000+0000: starting up libvirt version: 9.0.0, qemu version: "
      "7.2.22Debian 1:7.2+dfsg-7+deb12u18+b3, kernel: 6.1.0, hostname: a\n";
  CHECK(read_version_from_log(log) == QemuVersion{7, 2, 22});
  CHECK(read_version_from_log("") == QemuVersion{});
  CHECK(read_version_from_log("qemu version: unknown") == QemuVersion{});
}

TEST_CASE("iothreads are safe from QEMU 8.2.3 on", "[vm]") {
  CHECK(QemuVersion{7, 2, 22} < kFirstSafeWithIothreads);
  CHECK(QemuVersion{8, 2, 2} < kFirstSafeWithIothreads);
  CHECK(QemuVersion{} < kFirstSafeWithIothreads);
  CHECK(QemuVersion{8, 2, 3} >= kFirstSafeWithIothreads);
  CHECK(QemuVersion{10, 0, 0} >= kFirstSafeWithIothreads);
}

}  // namespace sealift::vm
