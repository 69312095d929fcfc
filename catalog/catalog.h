// The SQLite catalog of one repository on one host: a cache that every command brings
// up to date and that can be thrown away.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/archive_writer.h"
#include "archive/repository.h"
#include "archive/snapshot_reader.h"

namespace sealift::catalog {

/// A row of `list`. Name, kind and sizes are unknown (empty, 0) when the manifest could
/// not be opened for want of the repository key.
struct Snapshot {
  archive::ArchiveId id;
  archive::SignerId signer;
  std::uint64_t sequence = 0;
  std::string vm_name;
  std::string vm_uuid;
  std::string cluster;
  std::string host;
  base::Timestamp created;
  std::string kind;
  std::string read;
  std::uint64_t source_bytes = 0;
  std::uint64_t changed_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::string verdict;  ///< "complete", "incomplete", "damaged".
  std::uint32_t volumes = 0;
  std::string last_volume;  ///< Object name of the volume with the snapshot.
  bool is_opened = false;   ///< Whether the manifest could be read.
};

/// What a refresh met that is nobody's fault, to be reported once and gone on from.
struct RefreshReport {
  std::size_t new_volumes = 0;
  std::vector<base::Error> skipped;  ///< Foreign, unsigned or damaged volumes.
  std::vector<base::Error> losses;   ///< What is missing; only with kAcceptLoss.
};

/// How much the repository holds, as far as it is believed.
struct Totals {
  std::uint64_t snapshots = 0;
  std::uint64_t archives = 0;  ///< Also those without a snapshot: unfinished runs.
  std::uint64_t volumes = 0;
  std::uint64_t bytes = 0;  ///< Of all volumes.
  std::uint64_t vms = 0;    ///< UUIDs, as far as manifests could be read.
};

/// kStop: the first volume that is not believed is an error (the newest of a VM).
/// kSkip: such a volume does not exist for this run and is reported (backup, restore).
/// kAcceptLoss: as kSkip, and so is what is missing, of rules R15 to R17 and R20: what
/// is still there can be looked at (list, verify), and restored if the operator says
/// so.
enum class Unbelieved { kStop, kSkip, kAcceptLoss };

/// Threads: contains(), locate() and add_own_volume() from several at once; the rest
/// from one.
/// Processes: several may have it open (WAL); one refreshes at a time.
class Catalog final : public archive::KnownChunks, public archive::ChunkLocator {
 public:
  /// Opens or creates `path` (0600) for `repository`, migrating an older schema.
  /// errors  kRefused: it belongs to another repository.  kUnsupported: a newer schema.
  ///         kCorrupt: it is damaged (next: `sealift catalog rebuild`).
  static base::Result<std::unique_ptr<Catalog>> open(
      const std::filesystem::path& path, const archive::RepositoryId& repository);
  /// A catalog in memory, for a host that cannot or need not keep one.
  static base::Result<std::unique_ptr<Catalog>> open_in_memory(
      const archive::RepositoryId& repository);
  /// Whether the file of `path`, which open() found damaged, was a catalog at all.
  /// errors  kRefused: it does not begin like one.  kIo.
  static base::Status check_is_ours(const std::filesystem::path& path);
  ~Catalog() override;

  /// Reads what is new in the repository. `keys` null: manifests stay closed.
  /// own       This host's signer: only its archives, and attested ones, count as
  /// stored. own_head  What the key vault remembers, read before this call; the
  /// repository must
  ///           show that record.
  /// errors  kCorrupt: a gap or fork in a signer's chain, an archive that vanished;
  ///         with kStop also any volume that is not believed. A volume of a signer that
  ///         was revoked before it wrote it is held: it does not exist, is reported,
  ///         and stops nothing.
  base::Result<RefreshReport> refresh(
      const archive::Repository& repository, const archive::RepositoryKeys* keys,
      const std::optional<archive::SignerId>& own,
      const std::optional<keyvault::ChainHead>& own_head, Unbelieved unbelieved);

  /// Reads a volume that `own` finished just now, so that what lies in it counts as
  /// stored while its archive is still being written.
  /// errors  As refresh() for a volume that is not believed; kBusy, kIo.
  base::Status add_own_volume(const archive::Repository& repository,
                              const archive::RepositoryKeys& keys,
                              const archive::SignerId& own,
                              const archive::ObjectInfo& volume);

  /// Newest first; `vm` is a name or a UUID, or empty for all.
  base::Result<std::vector<Snapshot>> list(const std::string& vm) const;

  /// `SNAPSHOT` as design.md, section 6, spells it: an id, a unique prefix, `VM`,
  /// `VM@latest`, `VM@TIME`.
  /// passed_over  Newer snapshots that are not complete, for the caller to name.
  /// errors  kNotFound.  kUsage: a prefix of several, a name with two UUIDs.
  struct Found {
    Snapshot snapshot;
    std::vector<Snapshot> passed_over;
  };
  base::Result<Found> find(const std::string& selector) const;

  /// The newest record of `signer` that the repository showed; sequence 0 for none.
  base::Result<keyvault::ChainHead> head(const archive::SignerId& signer) const;

  /// The newest record of `signer` when this catalog was begun, empty, and read into
  /// for the first time (or anew: rebuilt). What the snapshots up to that one lean on
  /// may have been lost before, and nobody here would know.
  base::Result<std::uint64_t> began_at(const archive::SignerId& signer) const;

  base::Result<bool> contains(const archive::ChunkId& id) const override;
  /// First those that count as stored; of these the newest, which is there because an
  /// older one was found damaged.
  base::Result<std::vector<archive::ChunkLocation>> locate(
      const archive::ChunkId& id) const override;

  /// Whether a volume is believed, and was there whole when the repository was read.
  base::Result<bool> holds(const std::string& volume) const;
  /// Of what locate() finds nowhere: the volume that held it and is lost, if this
  /// catalog knew that one.
  base::Result<std::optional<std::string>> lost_volume_of(
      const archive::ChunkId& id) const;

  base::Result<Totals> totals() const;

  /// Forgets everything, to be refreshed from the repository alone.
  base::Status clear();

  /// Every row of every table that a rebuild must give again, as text; for tests and
  /// for comparing two catalogs.
  base::Result<std::string> dump() const;

 private:
  struct State;
  explicit Catalog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sealift::catalog
