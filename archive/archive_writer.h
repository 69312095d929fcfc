// Writes one archive: chunks, page trees, manifest, snapshot, in signed volumes.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/manifest.h"
#include "archive/repository.h"
#include "archive/tree_view.h"

namespace sealift::archive {

/// Whether a disk chunk or page counts as stored already (design.md, section 3,
/// "Counted as stored"). Threads: every member, from several threads at once.
class KnownChunks {
 public:
  virtual ~KnownChunks() = default;
  virtual base::Result<bool> contains(const ChunkId& id) const = 0;
};

struct ArchiveOptions {
  std::uint64_t volume_size =
      std::uint64_t{4} * 1024 * 1024 * 1024;  ///< Rolls after this,
  /// or after so many frames: the ids of a volume are in memory until it is finished,
  /// and of a disk that compresses to nothing 4 GiB would hold eight times as many.
  std::size_t volume_frames = std::size_t{128} * 1024;
  /// Gets each finished volume but the last, from the thread that wrote it. True: the
  /// shared frames in it are `known` from now on, and the writer forgets their ids.
  std::function<bool(const ObjectInfo& volume)> on_volume = nullptr;
};

/// Counts so far. changed = bytes given that were not holes.
struct ArchiveCounts {
  std::uint64_t source_bytes = 0;
  std::uint64_t data_bytes = 0;    ///< Not zero, not a hole.
  std::uint64_t new_bytes = 0;     ///< Of those, not known before.
  std::uint64_t stored_bytes = 0;  ///< Bytes of frames written.
  std::uint64_t chunks = 0;
  std::uint64_t new_chunks = 0;
};

/// Takes the chunks of one component. One that is not finished leaves no trace in the
/// manifest, and its name is free again. Dies before its archive's writer.
/// Threads: put() from several threads at once.
class ComponentWriter {
 public:
  virtual ~ComponentWriter() = default;

  /// The content of chunk `number`: chunk_size bytes, the last one the tail. Chunks
  /// that are never put are holes; all-zero ones become holes. A chunk is put once.
  /// Numbers may come in any order, but not below what finish_below() promised; pages
  /// with a chunk above it are kept in memory until then.
  /// It is stored when this returns only as far as sealed, opened again and its id
  /// found equal; durable after ArchiveWriter::commit().
  virtual base::Status put(std::uint64_t number, base::ByteView chunk) = 0;

  /// Promises that every chunk below `number` was put or is a hole, so that full pages
  /// can be written and forgotten.
  virtual base::Status finish_below(std::uint64_t number) = 0;

  /// Called once, after every put() returned. The component is then in the manifest.
  virtual base::Status finish(std::map<std::string, std::string> attributes) = 0;
};

struct ProtectionKeyFile {
  ProtectionKeyEntry entry;
  std::string text;  ///< The key JSON, exactly as it is to be stored.
};

struct CommittedSnapshot {
  ArchiveId id;
  Sha256Digest record_digest;
  std::uint32_t volumes = 0;
  std::uint64_t stored_bytes = 0;  ///< Bytes of all volumes.
};

/// Nothing is visible under a volume's name before the volume is whole and durable;
/// dying costs at most the volume in flight. Content keys live in this object only.
/// Threads: add_component() and commit() from one thread at a time.
class ArchiveWriter {
 public:
  virtual ~ArchiveWriter() = default;

  /// For begin(); drawn before, by who needs it earlier. errors  kIo.
  static base::Result<ArchiveId> draw_id();

  /// `id` was drawn for this archive alone. `known` outlives the writer. errors  kIo.
  static base::Result<std::unique_ptr<ArchiveWriter>> begin(
      const Repository& repository, const RepositoryKeys& keys,
      const keyvault::SigningKey& signer, const KnownChunks& known, const ArchiveId& id,
      base::Timestamp created, const ArchiveOptions& options);

  virtual const ArchiveId& id() const = 0;
  virtual ArchiveCounts counts() const = 0;

  /// `size` bytes of content. `name` is [A-Za-z0-9_.-]+ and unique within `kind`.
  virtual base::Result<std::unique_ptr<ComponentWriter>> add_component(
      std::string kind, std::string name, IdScope scope, std::uint64_t size) = 0;

  /// A disk that goes on from one stored before, of the same size: chunks that are not
  /// put stay what they were, and a page without one that changed is not written again.
  /// `earlier` outlives the component's writer, and its frames count as stored
  /// (design.md, section 3): nothing looks whether they are there.
  virtual base::Result<std::unique_ptr<ComponentWriter>> continue_disk(
      std::string name, const TreeView& earlier) = 0;

  /// A small component in one call (private scope).
  virtual base::Status add_file(std::string kind, std::string name,
                                base::ByteView content,
                                std::map<std::string, std::string> attributes) = 0;

  /// Writes the last volume with manifest, protection keys and the signed snapshot text
  /// at `position`: after success the snapshot is there and durable. `manifest` comes
  /// without components and counts, which the writer knows.
  virtual base::Result<CommittedSnapshot> commit(
      Manifest manifest, std::vector<ProtectionKeyFile> protection_keys,
      ChainPosition position) = 0;
};

}  // namespace sealift::archive
