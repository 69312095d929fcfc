// What a snapshot needs and the repository has not.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "archive/snapshot_reader.h"
#include "base/strict_json.h"
#include "cli/open.h"
#include "cli/session.h"

namespace sealift::cli {

struct SnapshotLoss {
  std::set<std::string> volumes;  ///< That are lost, as far as they are known by name.
  std::uint64_t parts = 0;  ///< Chunks and pages of disks that lie nowhere; what a lost
                            ///< page leads to is not counted.

  bool is_any() const noexcept { return parts > 0 || !volumes.empty(); }
  void add(const SnapshotLoss& other);
};

/// "1 volume lost", or "12 parts lost" where nobody knows in which.
std::string words_of(const SnapshotLoss& loss);

/// The object of `list --json` and `show --json`: what is lost decides the verdict.
base::Json to_json(const catalog::Snapshot& snapshot, const SnapshotLoss& loss);

/// Looks for every chunk and page of snapshots in the catalog, and opens the pages: no
/// volume is read but for those. A page of several snapshots is opened once. One thread
/// at a time.
class LossFinder {
 public:
  /// `open` outlives this. needed  Gets the volumes that hold what is there; may be
  /// null.
  explicit LossFinder(const OpenRepository& open,
                      std::set<std::string>* needed = nullptr)
      : open_(&open), needed_(needed) {}

  /// Of a snapshot that is sealed only what is lost of its own archive is known.
  /// errors  kInterrupted, kIo.
  base::Result<SnapshotLoss> find(const catalog::Snapshot& snapshot,
                                  const std::stop_token& stop);

 private:
  base::Result<SnapshotLoss> of_own_volumes(const catalog::Snapshot& snapshot) const;
  base::Result<SnapshotLoss> of_disks(const catalog::Snapshot& snapshot,
                                      const std::stop_token& stop);
  base::Result<SnapshotLoss> of_part(const archive::TreeView& tree,
                                     const archive::ChunkId& id, std::uint32_t level,
                                     std::uint64_t number, const std::stop_token& stop);
  base::Result<SnapshotLoss> of_page(const archive::TreeView& tree,
                                     const archive::Page& page, std::uint64_t number,
                                     const std::stop_token& stop);

  const OpenRepository* open_;
  std::set<std::string>* needed_;
  std::unordered_set<archive::ChunkId> whole_;  ///< Pages, with all that they lead to.
  std::unordered_map<archive::ChunkId, SnapshotLoss> damaged_;  ///< The other pages.
};

/// Of each of `snapshots`, in their order. Costs nothing where the repository shows all
/// that it should.
/// errors  As LossFinder.
base::Result<std::vector<SnapshotLoss>> find_losses(
    const Session& session, const OpenRepository& open,
    const std::vector<catalog::Snapshot>& snapshots);

}  // namespace sealift::cli
