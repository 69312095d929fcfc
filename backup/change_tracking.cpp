#include "backup/change_tracking.h"

#include <algorithm>

#include "archive/component_attribute.h"
#include "backup/stored_snapshot.h"
#include "base/byte_count.h"
#include "vm/checkpoints.h"

namespace sealift::backup {

namespace {

constexpr std::size_t kNameDigits = 16;
constexpr const char* kNoPlace = "its image has no place to note changes";

bool is_one_of(const vm::Disk& disk, const std::string& path) {
  return disk.path.string() == path ||
         std::ranges::find(disk.backing, path, [](const vm::BackingFile& file) {
           return file.path.string();
         }) != disk.backing.end();
}

bool is_usable(const catalog::Snapshot& snapshot, const archive::SignerId& own) {
  return snapshot.is_opened && snapshot.verdict != "damaged" && snapshot.signer == own;
}

// Why a disk cannot go on from the earlier snapshot.
struct Obstacle {
  std::string reason;
  bool is_fault = false;  ///< It could, until something happened.
};

std::optional<Obstacle> obstacle_of(
    const vm::Disk& disk, const archive::Component* earlier,
    const std::map<std::string, std::optional<std::uint64_t>>& changed) {
  if (earlier == nullptr) return Obstacle{"the earlier snapshot does not hold it"};
  if (!disk.can_hold_bitmaps) return Obstacle{kNoPlace};
  const auto noted = changed.find(disk.target);
  if (noted == changed.end()) return Obstacle{"no changes were noted on it"};
  if (!noted->second) {
    return Obstacle{
        "what was noted of its changes is lost (a crash of QEMU, or another "
        "image)",
        true};
  }
  // libvirt knows a bitmap by the name of the disk alone, and two may have changed
  // places.
  const std::string path = archive::attribute_of(*earlier, "path");
  if (!is_one_of(disk, path)) {
    return Obstacle{"its image was another: " + path, true};
  }
  // Since an external snapshot the image above notes changes, too. libvirt joins both
  // for a job of its own; of a disk that is read from its frozen image only the upper
  // one is asked.
  if (disk.has_iothread && path != disk.path.string()) {
    return Obstacle{"an external snapshot of it was made, and it has an iothread",
                    true};
  }
  if (path == disk.path.string() &&
      archive::attribute_of(*earlier, kImageAttribute) != image_of(disk)) {
    return Obstacle{"another file has its image's name now", true};
  }
  if (earlier->size != disk.size) {
    return Obstacle{"it was resized from " + base::ByteCount(earlier->size).text() +
                        " to " + base::ByteCount(disk.size).text(),
                    true};
  }
  return std::nullopt;
}

// Whether one should be there: a snapshot of this host made one.
ChangeTracking without_checkpoint(const BackupEnvironment& environment,
                                  const std::vector<catalog::Snapshot>& snapshots,
                                  const archive::SignerId& own,
                                  ChangeTracking tracking) {
  for (const catalog::Snapshot& snapshot : snapshots) {
    if (!is_usable(snapshot, own)) continue;
    const auto reader = open_stored(environment, snapshot);
    if (!reader) continue;
    // One that was taken while the VM was off left none, and took none away.
    if (!reader.value()->manifest().consistency.contains(kCheckpointFact)) continue;
    tracking.give_up_broken("the checkpoint of the earlier snapshot is gone");
    return tracking;
  }
  tracking.give_up("no earlier snapshot of this host left a checkpoint");
  return tracking;
}

}  // namespace

std::string image_of(const vm::Disk& disk) {
  return disk.inode == 0 ? std::string() : "inode " + std::to_string(disk.inode);
}

std::string checkpoint_prefix(const archive::RepositoryId& repository) {
  return "sealift-" + repository.hex().substr(0, kNameDigits) + "-";
}

std::string checkpoint_name(const archive::RepositoryId& repository,
                            const archive::ArchiveId& snapshot) {
  return checkpoint_prefix(repository) + snapshot.hex().substr(0, kNameDigits);
}

base::Result<std::set<std::string>> checkpoints_of(const BackupEnvironment& environment,
                                                   const base::Uuid& vm) {
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   environment.catalog.list(vm.text()));
  std::set<std::string> names;
  for (const catalog::Snapshot& snapshot : snapshots) {
    names.insert(checkpoint_name(environment.repository.id(), snapshot.id));
  }
  return names;
}

const catalog::Snapshot* find_earlier(const std::vector<catalog::Snapshot>& snapshots,
                                      const archive::SignerId& own,
                                      const archive::RepositoryId& repository,
                                      const std::vector<std::string>& there) {
  const auto found =
      std::ranges::find_if(snapshots, [&](const catalog::Snapshot& snapshot) {
        const std::string name = checkpoint_name(repository, snapshot.id);
        return is_usable(snapshot, own) &&
               std::ranges::find(there, name) != there.end();
      });
  return found == snapshots.end() ? nullptr : &*found;
}

const archive::Component* ChangeTracking::disk(const std::string& target) const {
  if (!earlier) return nullptr;
  for (const archive::Component& component : earlier->manifest().components) {
    if (component.kind == "disk" && component.name == target) return &component;
  }
  return nullptr;
}

void ChangeTracking::give_up(const std::string& reason) {
  for (const std::string& target : targets) whole[target] = reason;
  targets.clear();
}

void ChangeTracking::give_up_broken(const std::string& reason) {
  for (const std::string& target : targets) broken[target] = reason;
  give_up(reason);
}

base::Result<ChangeTracking> find_changes(const BackupEnvironment& environment,
                                          const BackupRequest& request,
                                          const vm::Domain& domain,
                                          const vm::VmDescription& description) {
  ChangeTracking tracking;
  for (const vm::Disk& disk : description.disks) tracking.targets.insert(disk.target);
  const archive::RepositoryId& repository = environment.repository.id();
  ASSIGN_OR_RETURN(const std::vector<catalog::Snapshot> snapshots,
                   environment.catalog.list(description.uuid.text()));
  if (description.active_xml.empty()) {
    tracking.give_up("the VM is off");
    return tracking;
  }
  if (request.reading == Reading::kEverything) {
    tracking.give_up("asked for with --full");
    return tracking;
  }
  if (std::ranges::none_of(description.disks, &vm::Disk::can_hold_bitmaps)) {
    tracking.give_up(kNoPlace);
    return tracking;
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> there, vm::list_checkpoints(domain));
  const archive::SignerId own = environment.vault.signing_key().public_key().id();
  const catalog::Snapshot* found = find_earlier(snapshots, own, repository, there);
  if (found == nullptr) {
    return without_checkpoint(environment, snapshots, own, std::move(tracking));
  }
  ASSIGN_OR_RETURN(const std::uint64_t began_at, environment.catalog.began_at(own));
  if (found->sequence <= began_at) {
    tracking.give_up(
        "the catalog is newer than the earlier snapshot, and what that one leans on "
        "may have been lost unseen");
    return tracking;
  }
  tracking.since = checkpoint_name(repository, found->id);
  const auto changed = vm::changed_since(domain, tracking.since);
  if (!changed) {
    tracking.give_up_broken("the checkpoint of the earlier snapshot is of no use: " +
                            base::one_line(changed.error()));
    return tracking;
  }
  auto reader = open_stored(environment, *found);
  if (!reader) {
    tracking.give_up_broken("the earlier snapshot cannot be read: " +
                            base::one_line(reader.error()));
    return tracking;
  }
  tracking.earlier = std::move(reader).value();
  tracking.earlier_id = found->id;
  for (const vm::Disk& disk : description.disks) {
    const auto obstacle =
        obstacle_of(disk, tracking.disk(disk.target), changed.value());
    if (!obstacle) {
      tracking.changed[disk.target] = changed->at(disk.target).value();
      continue;
    }
    tracking.targets.erase(disk.target);
    tracking.whole[disk.target] = obstacle->reason;
    if (obstacle->is_fault) tracking.broken[disk.target] = obstacle->reason;
  }
  return tracking;
}

}  // namespace sealift::backup
