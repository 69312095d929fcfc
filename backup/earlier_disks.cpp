#include "backup/earlier_disks.h"

#include <algorithm>
#include <set>

#include "archive/component_attribute.h"
#include "backup/stored_snapshot.h"
#include "vm/hyperv_attributes.h"

namespace sealift::backup {

namespace {

base::Error not_there(const std::string& why) {
  return base::Error(base::ErrorCode::kRefused,
                     "the parent of a differencing disk is not in the export: " + why)
      .next("export the VM again, with all its disks");
}

base::Status must_be_stored(const archive::SnapshotReader& reader,
                            const archive::Component& disk,
                            const archive::KnownChunks& known) {
  ASSIGN_OR_RETURN(archive::TreeView tree, reader.view(disk));
  for (std::uint64_t number = 0; number < tree.shape().chunks(); ++number) {
    ASSIGN_OR_RETURN(const archive::ChunkId id, tree.id_at(number));
    if (id == archive::ChunkId()) continue;
    ASSIGN_OR_RETURN(const bool is_known, known.contains(id));
    if (!is_known) {
      return not_there("what the earlier snapshot holds of " + disk.name +
                       " is not stored any more");
    }
  }
  return base::Done{};
}

// Frames of another host do not count as stored (design.md, section 3).
const catalog::Snapshot* newest_own(const std::vector<catalog::Snapshot>& snapshots,
                                    const archive::SignerId& own) {
  const auto found = std::ranges::find_if(snapshots, [&](const auto& snapshot) {
    return snapshot.is_opened && snapshot.verdict == "complete" &&
           snapshot.signer == own;
  });
  return found == snapshots.end() ? nullptr : &*found;
}

}  // namespace

base::Result<EarlierDisks> find_earlier_disks(const BackupEnvironment& environment,
                                              const base::Uuid& vm,
                                              const std::vector<WantedDisk>& wanted) {
  EarlierDisks earlier;
  if (wanted.empty()) return earlier;
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   environment.catalog.list(vm.text()));
  const catalog::Snapshot* const snapshot =
      newest_own(snapshots, environment.vault.signing_key().public_key().id());
  if (snapshot == nullptr) {
    return not_there(wanted.front().words +
                     ", and this host has no earlier snapshot of the VM");
  }
  ASSIGN_OR_RETURN(earlier.reader, open_stored(environment, *snapshot));
  earlier.snapshot = snapshot->id;
  const auto& components = earlier.reader->manifest().components;
  std::vector<std::string> left;
  left.reserve(wanted.size());
  for (const WantedDisk& disk : wanted) left.push_back(disk.id.text());
  std::set<std::string> seen;
  while (!left.empty()) {
    const std::string id = left.back();
    left.pop_back();
    if (!seen.insert(id).second) continue;
    const auto disk = std::ranges::find_if(components, [&](const auto& component) {
      return component.kind == "disk" &&
             archive::attribute_of(component, vm::kDataWriteId) == id;
    });
    if (disk == components.end()) {
      return not_there(wanted.front().words + ", and snapshot " + snapshot->id.hex() +
                       " does not hold what it needs, data write GUID " + id);
    }
    RETURN_IF_ERROR(must_be_stored(*earlier.reader, *disk, environment.catalog));
    earlier.disks.push_back(*disk);
    const std::string parent = archive::attribute_of(*disk, vm::kParentLinkage);
    if (!parent.empty()) left.push_back(parent);
  }
  return earlier;
}

}  // namespace sealift::backup
