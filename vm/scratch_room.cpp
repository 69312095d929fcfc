#include "vm/scratch_room.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <set>

#include "base/byte_count.h"

namespace sealift::vm {

std::string LowRoom::words() const {
  return base::ByteCount(free).text() + " are free in " + folder.string() + ", and " +
         base::ByteCount(least).text() + " must stay so";
}

std::optional<LowRoom> find_low_room(const CaptureTraces& traces) {
  std::set<std::filesystem::path> folders;
  for (const auto& file : traces.scratch_files) folders.insert(file.parent_path());
  for (const Overlay& overlay : traces.overlays) {
    folders.insert(overlay.path.parent_path());
  }
  for (const std::filesystem::path& folder : folders) {
    struct statvfs found {};
    if (::statvfs(folder.c_str(), &found) != 0) continue;  // Then it is gone, not full.
    const std::uint64_t block = found.f_frsize;
    const LowRoom room{folder, found.f_bavail * block,
                       std::min(base::kGiB, found.f_blocks * block / 20)};
    if (room.free < room.least) return room;
  }
  return std::nullopt;
}

}  // namespace sealift::vm
