#include "vm/overlay.h"

#include "base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::vm {

TEST_CASE("a guest's small write to an overlay copies nothing from below", "[vm]") {
  const support::ScratchFolder scratch;
  const auto run = [](const std::vector<std::string>& words) {
    const auto done = base::run_program(words, std::chrono::seconds(30));
    REQUIRE(done);
    INFO(words.front() << ": " << done->error_output);
    REQUIRE(done->exit_status == 0);
    return done->output;
  };
  Overlay overlay;
  overlay.base = scratch.path() / "base";
  overlay.path = scratch.path() / "overlay";
  Disk disk;
  disk.format = "qcow2";
  disk.size = 64 << 20;
  run({"qemu-img", "create", "-q", "-f", "qcow2", overlay.base.string(), "64M"});
  run({"qemu-io", "-c", "write -q 0 4M", overlay.base.string()});

  REQUIRE(make_overlay(overlay, disk));
  run({"qemu-io", "-c", "write -q 1M 4k", overlay.path.string()});
  const std::string map =
      run({"qemu-img", "map", "--output=json", overlay.path.string()});
  // 4 KiB of the overlay itself (depth 0), and what is around it still from below.
  INFO(map);
  CHECK(map.find(R"("start": 1048576, "length": 4096, "depth": 0)") !=
        std::string::npos);
  CHECK(map.find(R"("start": 1052672, "length": 3141632, "depth": 1)") !=
        std::string::npos);
}

}  // namespace sealift::vm
