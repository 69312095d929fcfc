// A snapshot that left its repository: volumes that need nothing beside a recovery key
// and whom to believe. docs/format/portable.md
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "archive/snapshot_reader.h"
#include "archive/volume.h"

namespace sealift::archive {

/// Opened from its files, in any order; nothing is written anywhere. Where frames lie
/// is kept in memory: 24 bytes for each.
/// Threads: const members from several.
class PortableArchive {
 public:
  virtual ~PortableArchive() = default;

  /// files     All of it; more do no harm, unless they hold other snapshots.
  /// trust     Who took snapshots and wrote files, by their public keys.
  /// snapshot  An id or the beginning of one, where the files hold several; else empty.
  /// identity  Outlives the archive.
  /// errors  kUsage: a file is given twice, or the files hold several snapshots and
  ///         none is named.  kNotFound: a file, or the snapshot, is not there.
  ///         kCorrupt: as open_volume(), or files of two repositories.  kWrongKey.
  static base::Result<std::unique_ptr<PortableArchive>> open(
      const std::vector<std::filesystem::path>& files, Trust trust,
      const std::string& snapshot, const keyvault::RecoveryKey& identity);

  virtual VolumeSource source() const = 0;
  virtual const ChunkLocator& locator() const = 0;
  /// The one with the snapshot.
  virtual const Volume& last_volume() const = 0;
  virtual const Manifest& manifest() const = 0;
};

}  // namespace sealift::archive
