// Everything a snapshot says about itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "archive/volume.h"
#include "catalog/catalog.h"
#include "cli/open.h"
#include "cli/snapshot_loss.h"

namespace sealift::cli {

struct SnapshotDetails {
  catalog::Snapshot snapshot;
  archive::Manifest manifest;
  std::vector<archive::ObjectInfo> own_volumes;
  std::vector<std::string> other_volumes;  ///< Of other archives, that a restore reads.
  SnapshotLoss loss;
  /// What a restore would say; none where it finds all.
  std::optional<base::Error> restore_error;
};

/// Reads the signed parts of `snapshot`; needs no recovery key on a host that joined.
/// What else is lost or damaged is no error.
/// errors  kCorrupt: volume or manifest are gone, or are not what was signed.
///         kNotFound: this host has no key for the manifest.
base::Result<SnapshotDetails> read_details(const Session& session,
                                           const OpenRepository& open,
                                           const catalog::Snapshot& snapshot);

}  // namespace sealift::cli
