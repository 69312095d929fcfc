#include "backup/settle_checkpoints.h"

#include <algorithm>
#include <map>
#include <set>

#include "vm/checkpoints.h"
#include "vm/undo_capture.h"

namespace sealift::backup {

namespace {

std::string words_of(const base::Error& error) {
  std::string words = error.what();
  for (const auto& place : error.places())
    words += ", " + place.kind + " " + place.name;
  return words + ": " + error.cause();
}

// Disks by the name of a bitmap of ours that no checkpoint in `there` has.
std::map<std::string, std::set<std::string>> find_forgotten(
    const vm::VmDescription& description, const std::string& prefix,
    const std::vector<std::string>& there) {
  std::map<std::string, std::set<std::string>> forgotten;
  for (const vm::Disk& disk : description.disks) {
    for (const std::string& name : disk.bitmaps) {
      const bool is_known = std::ranges::find(there, name) != there.end();
      if (name.starts_with(prefix) && !is_known) forgotten[name].insert(disk.target);
    }
  }
  return forgotten;
}

}  // namespace

std::vector<std::string> settle_checkpoints(const vm::Domain& domain,
                                            const vm::VmDescription& description,
                                            const vm::CaptureOptions& options) {
  std::vector<std::string> warnings;
  const auto note = [&warnings](const base::Status& status) {
    if (!status) warnings.push_back(words_of(status.error()));
  };
  const auto there = vm::list_checkpoints(domain);
  if (!there) return warnings;
  for (const std::string& name : there.value()) {
    if (options.known_checkpoints.contains(name)) {
      note(vm::delete_checkpoint(domain, name));
    }
  }
  for (const auto& [name, targets] :
       find_forgotten(description, options.checkpoint_prefix, there.value())) {
    std::vector<std::string> others = description.removable_targets;
    for (const vm::Disk& disk : description.disks) {
      if (!targets.contains(disk.target)) others.push_back(disk.target);
    }
    note(vm::remove_forgotten(domain, name, {targets.begin(), targets.end()}, others));
  }
  return warnings;
}

}  // namespace sealift::backup
