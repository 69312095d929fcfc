#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <system_error>

#include "base/byte_count.h"
#include "restore/checks.h"
#include "restore/plan.h"

namespace sealift::restore {

namespace {

namespace fs = std::filesystem;

// A name that is taken, by a symlink that leads nowhere too.
bool is_there(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

const vm::KnownVm* user_of(const vm::TargetHost& host, const fs::path& path) {
  for (const vm::KnownVm& known : host.vms) {
    if (std::ranges::find(known.files, path) != known.files.end()) return &known;
  }
  return nullptr;
}

void check_free_name(RestorePlan& plan, const std::string& name, const fs::path& path,
                     const vm::TargetHost& host, const std::string& fix) {
  if (const vm::KnownVm* user = user_of(host, path)) {
    block(plan, name, path.string() + " belongs to the VM \"" + user->name + "\"",
          name.starts_with("disk ")
              ? "leave it where it is, and choose another folder with --storage-dir"
              : "leave it where it is: that VM needs it; restore on another host");
  } else if (is_there(path)) {
    block(plan, name, path.string() + " is there already", fix);
  } else {
    pass(plan, name, path.string());
  }
}

// Data that the disks hold: exactly where all of it was read, else what they can hold.
struct NeededSpace {
  std::uint64_t bytes = 0;
  bool is_exact = false;
};

NeededSpace needed_space(const archive::Manifest& manifest, const Places& places) {
  std::uint64_t capacity = 0;
  for (const PlacedComponent& disk : places.disks) capacity += disk.component.size;
  const bool is_all_read = manifest.read == "all";
  return {is_all_read ? std::min(manifest.changed_bytes, capacity) : capacity,
          is_all_read};
}

void check_space(RestorePlan& plan, const archive::Manifest& manifest,
                 const Places& places) {
  struct statvfs space {};
  if (::statvfs(places.storage_folder.c_str(), &space) != 0) return;
  const std::uint64_t free = std::uint64_t{space.f_bavail} * space.f_frsize;
  const NeededSpace needed = needed_space(manifest, places);
  const std::string words = base::ByteCount(free).text() + " are free in " +
                            places.storage_folder.string() + ", the disks need " +
                            (needed.is_exact ? "" : "at most ") +
                            base::ByteCount(needed.bytes).text();
  const std::string fix = "make room, or choose another folder with --storage-dir";
  if (needed.bytes <= free) {
    pass(plan, "space", words);
  } else if (needed.is_exact) {
    block(plan, "space", words, fix);
  } else {
    warn(plan, "space", words, fix);
  }
}

void check_storage(RestorePlan& plan, const Places& places) {
  const std::string folder = places.storage_folder.string();
  std::error_code ignored;
  if (!fs::is_directory(places.storage_folder, ignored)) {
    block(plan, "storage", folder + " is no folder, or not there",
          "make it, or choose another with --storage-dir");
  } else if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    block(plan, "storage", folder + " cannot be written to",
          "choose another with --storage-dir");
  } else {
    pass(plan, "storage", folder);
  }
}

}  // namespace

void check_places(RestorePlan& plan, const archive::Manifest& manifest,
                  const Places& places, const vm::TargetHost& host) {
  if (!places.disks.empty()) {
    check_storage(plan, places);
    check_space(plan, manifest, places);
  }
  for (const PlacedComponent& disk : places.disks) {
    check_free_name(plan, "disk " + disk.component.name, disk.path, host,
                    "move it away, or choose another folder with --storage-dir");
  }
  if (!places.nvram_path.empty()) {
    check_free_name(plan, "NVRAM", places.nvram_path, host,
                    "move it away: it may be the NVRAM of another VM");
    if (!places.nvram) {
      warn(plan, "NVRAM", "the snapshot holds none: the VM was never started",
           "nothing: libvirt makes it from its template at the first start");
    }
  }
  if (!places.state_folder.empty()) {
    check_free_name(plan, "vTPM state", places.state_folder, host,
                    "move it away: it is the vTPM of a VM of this UUID");
  }
}

}  // namespace sealift::restore
