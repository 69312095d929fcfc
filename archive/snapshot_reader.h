// Reads the content of a snapshot: every chunk found, opened and checked by its id.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "archive/tree_view.h"
#include "archive/volume.h"

namespace sealift::archive {

struct ChunkLocation {
  std::string volume;  ///< Object name.
  std::uint64_t offset = 0;
  std::uint32_t stored_size = 0;
};

/// Every place where a chunk or page may lie; the catalog, or an index in memory.
/// Threads: every member, from several threads at once.
class ChunkLocator {
 public:
  virtual ~ChunkLocator() = default;
  virtual base::Result<std::vector<ChunkLocation>> locate(const ChunkId& id) const = 0;
};

/// Gets bytes of a component: a chunk, or some that follow one another, from `offset`,
/// the number of the first times the chunk size. The view is valid during the call and
/// begins at a multiple of base::kDirectAlignment in memory. Called from several
/// threads at once, in no order, never for holes.
using ChunkSink =
    std::function<base::Status(std::uint64_t offset, base::ByteView bytes)>;

class SegmentChecks;

/// Threads: const members from several.
class SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;

  /// With an identity data can be read; without one only manifest, pages and places
  /// can be checked. `locator` and `identity` outlive the reader.
  /// errors  kCorrupt: the manifest does not fit the signed snapshot text, …
  ///         kWrongKey: `identity` opens none of the archive's envelopes.
  static base::Result<std::unique_ptr<SnapshotReader>> open(
      const VolumeSource& source, const Volume& last_volume, const RepositoryKeys& keys,
      const keyvault::RecoveryKey* identity, const ChunkLocator& locator);

  /// The same where only a recovery key is at hand.
  static base::Result<std::unique_ptr<SnapshotReader>> open(
      const VolumeSource& source, const Volume& last_volume,
      const keyvault::RecoveryKey& identity, const ChunkLocator& locator);

  virtual const Manifest& manifest() const = 0;
  virtual const Record& record() const = 0;
  /// Member and text of every protection-key file, as signed.
  virtual const std::vector<std::pair<std::string, std::string>>& protection_keys()
      const = 0;

  /// Opens every chunk of `component` that is no hole, in the order in which they lie.
  /// `jobs` threads.
  /// checks  Of volumes whose segments are to be checked on the way; may be null.
  /// errors  kCorrupt: a chunk that no location gives whole; places component, offset,
  ///         volume, member; or as SegmentChecks::read().  kWrongKey: no identity.
  ///         kInterrupted.  What `sink` returns.
  virtual base::Status read(const Component& component, const ChunkSink& sink,
                            unsigned jobs, std::stop_token stop,
                            SegmentChecks* checks) const = 0;
  base::Status read(const Component& component, const ChunkSink& sink, unsigned jobs,
                    std::stop_token stop) const {
    return read(component, sink, jobs, std::move(stop), nullptr);
  }

  /// A small component whole, at most `limit` bytes.
  virtual base::Result<base::Bytes> read_whole(const Component& component,
                                               std::uint64_t limit) const = 0;

  /// The tree of `component`, of shared scope. The reader outlives it.
  virtual base::Result<TreeView> view(const Component& component) const = 0;

  /// Tells `sink` a place of every chunk and page of this snapshot; of one that stands
  /// at several places of the trees more than once. Needs no identity.
  using PlaceSink =
      std::function<base::Status(const ChunkId& id, const ChunkLocation& location)>;
  virtual base::Status frames_needed(const PlaceSink& sink,
                                     std::stop_token stop) const = 0;

  /// Every volume object that holds a frame of this snapshot, sorted: what a restore
  /// reads. Needs no identity.
  virtual base::Result<std::vector<std::string>> volumes_needed(
      std::stop_token stop) const = 0;
};

}  // namespace sealift::archive
