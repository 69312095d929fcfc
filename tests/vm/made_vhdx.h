// A VHDX that qemu-img made, and where its structures lie.
#pragma once

#include <string>
#include <string_view>

#include "base/byte_count.h"
#include "base/filesystem.h"
#include "tests/support/catch.h"
#include "tests/support/must_run.h"
#include "tests/support/scratch_folder.h"
#include "vm/microsoft_guid.h"

namespace sealift::vm {

using support::must_run;

/// A VHDX of 16 MiB in blocks of 1 MiB, made by qemu-img: data in blocks 2, 3 and 9.
inline base::Bytes made_by_qemu(const std::string& options = "subformat=dynamic") {
  const support::ScratchFolder scratch;
  const std::string path = (scratch.path() / "disk.vhdx").string();
  must_run({"qemu-img", "create", "-q", "-f", "vhdx", "-o",
            options + ",block_size=1M,log_size=1M,block_state_zero=off", path, "16M"});
  for (const char* const write :
       {"write -q -P 0x11 2M 2M", "write -q -P 0x22 9728k 4k"}) {
    must_run({"qemu-io", "-f", "vhdx", "-c", write, path});
  }
  return base::read_file(path, 64 * base::kMiB).value();
}

/// Where the entry of a region, or of an item of the metadata, stands.
inline std::uint64_t entry_of(const base::Bytes& bytes, std::uint64_t first,
                              std::string_view id) {
  for (std::uint64_t at = first; at < first + 20 * 32; at += 32) {
    if (microsoft_guid(base::ByteView(bytes).subspan(at)).text() == id) return at;
  }
  FAIL("there is no " << id);
  return 0;
}

constexpr std::uint64_t kRegions = 192 * base::kKiB + 16;
constexpr std::string_view kBat = "2dc27766-f623-4200-9d64-115e9bfd4a08";
constexpr std::string_view kMetadata = "8b7ca206-4790-4b9a-b8fe-575f050f886e";
constexpr std::string_view kParameters = "caa16737-fa36-4d43-b3b6-33f0aa44e76b";
constexpr std::string_view kDiskSize = "2fa54224-cd1b-4876-b211-5dbed83bf4b8";
constexpr std::string_view kSector = "8141bf1d-a96f-4709-ba47-f233a8faab5f";
constexpr std::string_view kPhysicalSector = "cda348c7-445d-4471-9cc9-e9885251c556";
constexpr std::string_view kLocator = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c";

inline std::uint64_t region(const base::Bytes& bytes, std::string_view id) {
  return base::read_le64(bytes, entry_of(bytes, kRegions, id) + 16);
}

}  // namespace sealift::vm
