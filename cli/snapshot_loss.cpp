#include "cli/snapshot_loss.h"

#include <algorithm>

#include "archive/limits.h"
#include "archive/volume.h"
#include "archive/volume_set.h"
#include "cli/progress.h"
#include "cli/snapshot_answer.h"
#include "restore/snapshot_contents.h"

namespace sealift::cli {

namespace {

// What is held of a revoked signer is needed by nobody else, and is left out for good.
bool is_held(const base::Error& error) {
  return std::ranges::find(error.places(), "revoked since",
                           &base::Error::Place::kind) != error.places().end();
}

bool is_anything_lost(const OpenRepository& open) {
  return !open.losses.empty() || !std::ranges::all_of(open.skipped, is_held);
}

std::string counted(std::uint64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s") + " lost";
}

// An error that says that something is not what it was is a loss like any other.
base::Result<SnapshotLoss> as_loss(const base::Error& error,
                                   const std::string& volume) {
  const base::Error said = archive::missing_is_corrupt(error, volume);
  if (said.code() != base::ErrorCode::kCorrupt) return said;
  return SnapshotLoss{{volume}, 0};
}

}  // namespace

void SnapshotLoss::add(const SnapshotLoss& other) {
  volumes.insert(other.volumes.begin(), other.volumes.end());
  parts += other.parts;
}

std::string words_of(const SnapshotLoss& loss) {
  return loss.volumes.empty() ? counted(loss.parts, "part")
                              : counted(loss.volumes.size(), "volume");
}

base::Json to_json(const catalog::Snapshot& snapshot, const SnapshotLoss& loss) {
  base::Json object = to_json(snapshot);
  if (loss.is_any()) object["verdict"] = "damaged";
  object["lost_volumes"] = loss.volumes;
  object["lost_parts"] = loss.parts;
  return object;
}

base::Result<SnapshotLoss> LossFinder::find(const catalog::Snapshot& snapshot,
                                            const std::stop_token& stop) {
  ASSIGN_OR_RETURN(SnapshotLoss loss, of_own_volumes(snapshot));
  const bool has_manifest = !loss.volumes.contains(snapshot.last_volume);
  if (!has_manifest || !open_->keys || !snapshot.is_opened) return loss;
  ASSIGN_OR_RETURN(const SnapshotLoss of_its_disks, of_disks(snapshot, stop));
  loss.add(of_its_disks);
  return loss;
}

base::Result<SnapshotLoss> LossFinder::of_own_volumes(
    const catalog::Snapshot& snapshot) const {
  SnapshotLoss loss;
  for (std::uint32_t number = 1; number <= snapshot.volumes; ++number) {
    std::string name = archive::volume_name(snapshot.id, number);
    ASSIGN_OR_RETURN(const bool is_there, open_->catalog->holds(name));
    if (!is_there) loss.volumes.insert(std::move(name));
  }
  return loss;
}

base::Result<SnapshotLoss> LossFinder::of_disks(const catalog::Snapshot& snapshot,
                                                const std::stop_token& stop) {
  const auto reader = restore::open_snapshot(
      {open_->repository.source(), &*open_->keys, *open_->catalog}, snapshot, nullptr);
  if (!reader) return as_loss(reader.error(), snapshot.last_volume);
  SnapshotLoss loss;
  for (const archive::Component& component : reader.value()->manifest().components) {
    // What is not shared lies in the snapshot's own volumes.
    if (component.scope != archive::IdScope::kShared || component.root.is_zero()) {
      continue;
    }
    ASSIGN_OR_RETURN(const archive::TreeView tree, reader.value()->view(component));
    ASSIGN_OR_RETURN(const SnapshotLoss found,
                     of_part(tree, tree.root(), tree.shape().depth(), 0, stop));
    loss.add(found);
  }
  return loss;
}

base::Result<SnapshotLoss> LossFinder::of_part(const archive::TreeView& tree,
                                               const archive::ChunkId& id,
                                               std::uint32_t level,
                                               std::uint64_t number,
                                               const std::stop_token& stop) {
  if (whole_.contains(id)) return SnapshotLoss{};
  if (const auto known = damaged_.find(id); known != damaged_.end()) {
    return known->second;
  }
  ASSIGN_OR_RETURN(const std::vector<archive::ChunkLocation> locations,
                   open_->catalog->locate(id));
  if (locations.empty()) {
    ASSIGN_OR_RETURN(const std::optional<std::string> volume,
                     open_->catalog->lost_volume_of(id));
    SnapshotLoss loss{{}, 1};
    if (volume) loss.volumes.insert(*volume);
    return loss;
  }
  const std::string& volume = locations.front().volume;
  if (needed_ != nullptr) needed_->insert(volume);
  if (level == 0) return SnapshotLoss{};
  if (stop.stop_requested()) {
    return base::Error(base::ErrorCode::kInterrupted, "the reading was stopped");
  }
  const auto page = tree.load()(id, level, tree.shape().ids_in(level, number));
  auto loss =
      page ? of_page(tree, page.value(), number, stop) : as_loss(page.error(), volume);
  if (!loss) return loss;
  if (loss->is_any()) {
    damaged_.emplace(id, loss.value());
  } else {
    whole_.insert(id);
  }
  return loss;
}

base::Result<SnapshotLoss> LossFinder::of_page(const archive::TreeView& tree,
                                               const archive::Page& page,
                                               std::uint64_t number,
                                               const std::stop_token& stop) {
  SnapshotLoss loss;
  for (std::size_t at = 0; at < page.ids.size(); ++at) {
    if (page.ids[at].is_zero()) continue;
    ASSIGN_OR_RETURN(const SnapshotLoss below,
                     of_part(tree, page.ids[at], page.level - 1,
                             number * archive::kPageFanOut + at, stop));
    loss.add(below);
  }
  return loss;
}

base::Result<std::vector<SnapshotLoss>> find_losses(
    const Session& session, const OpenRepository& open,
    const std::vector<catalog::Snapshot>& snapshots) {
  std::vector<SnapshotLoss> losses(snapshots.size());
  if (!is_anything_lost(open)) return losses;
  Progress progress(session);
  LossFinder finder(open);
  for (std::size_t at = 0; at < snapshots.size(); ++at) {
    progress.show("something is lost: looking at what " + short_id(snapshots[at].id) +
                  " of " + vm_label(snapshots[at]) + " needs");
    ASSIGN_OR_RETURN(losses[at],
                     finder.find(snapshots[at], session.surroundings().stop));
  }
  return losses;
}

}  // namespace sealift::cli
