// Which disks of a VM need not be read whole, because an earlier snapshot is there and
// QEMU has noted what changed since.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "archive/snapshot_reader.h"
#include "backup/backup.h"
#include "vm/description.h"

namespace sealift::backup {

/// In the attributes of a disk: which file its image is, beyond its path.
constexpr const char* kImageAttribute = "image";
/// "inode 4711"; empty for what is no file.
std::string image_of(const vm::Disk& disk);

/// In the manifest's consistency: the name of the checkpoint that was left.
constexpr const char* kCheckpointFact = "checkpoint";

/// "sealift-REPOSITORY-SNAPSHOT", 16 digits each: whoever finds it knows whose it is.
std::string checkpoint_name(const archive::RepositoryId& repository,
                            const archive::ArchiveId& snapshot);
/// What all names of the repository's checkpoints begin with.
std::string checkpoint_prefix(const archive::RepositoryId& repository);

/// The names of the checkpoints of all snapshots of the VM in the repository, those
/// among them too that libvirt has not.
/// errors  As catalog::Catalog::list().
base::Result<std::set<std::string>> checkpoints_of(const BackupEnvironment& environment,
                                                   const base::Uuid& vm);

struct ChangeTracking {
  /// The snapshot that is gone on from; null: none is.
  std::unique_ptr<archive::SnapshotReader> earlier;
  archive::ArchiveId earlier_id;
  std::string since;              ///< Its checkpoint.
  std::set<std::string> targets;  ///< Disks of which only changes are needed.
  std::map<std::string, std::uint64_t> changed;  ///< Of those: bytes noted.
  /// Why each of the other disks is read whole, for people.
  std::map<std::string, std::string> whole;
  /// Of those, the ones that are because something happened: to be said aloud.
  std::map<std::string, std::string> broken;

  const archive::Component* disk(const std::string& target) const;
  /// From here on nothing is gone on from.
  void give_up(const std::string& reason);
  void give_up_broken(const std::string& reason);
};

/// The newest of `snapshots`, newest first, that a disk can go on from: `own` took it,
/// its manifest opens, it is not damaged, and its checkpoint is `there`. Frames of
/// another host do not count as stored (design.md, section 3). Null: none.
const catalog::Snapshot* find_earlier(const std::vector<catalog::Snapshot>& snapshots,
                                      const archive::SignerId& own,
                                      const archive::RepositoryId& repository,
                                      const std::vector<std::string>& there);

/// Looks for the newest snapshot of this host whose checkpoint libvirt still has, and
/// whether QEMU can say what changed since. A chain that is broken is no error: it is a
/// reason to read everything.
/// errors  As catalog::Catalog::list(); kHypervisor: libvirt does not answer.
base::Result<ChangeTracking> find_changes(const BackupEnvironment& environment,
                                          const BackupRequest& request,
                                          const vm::Domain& domain,
                                          const vm::VmDescription& description);

}  // namespace sealift::backup
