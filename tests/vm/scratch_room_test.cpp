#include "vm/scratch_room.h"

#include "base/byte_count.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::vm {

TEST_CASE("room is looked for wherever a guest's blocks go", "[vm]") {
  const support::ScratchFolder folder;
  CaptureTraces traces;
  CHECK_FALSE(find_low_room(traces));
  traces.scratch_files = {folder.path() / "vda"};
  traces.overlays = {{"vdb", folder.path() / "vdb", "/base"}};
  CHECK_FALSE(find_low_room(traces));
  traces.scratch_files.emplace_back("/nowhere/at/all/vda");
  CHECK_FALSE(find_low_room(traces));
}

TEST_CASE("low room is told in bytes", "[vm]") {
  const LowRoom room{"/images", 12 * base::kMiB, base::kGiB};
  CHECK(room.words() == "12.0 MiB are free in /images, and 1.0 GiB must stay so");
}

}  // namespace sealift::vm
