// Can this snapshot be restored? Levels of proof.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "restore/key_identity.h"
#include "restore/snapshot_contents.h"

namespace sealift::restore {

/// 1 signatures and sums of every volume, byte for byte; 2 every chunk opened and its
/// id fitting; 3 the protection key opens the guest state.
struct VerifyReport {
  catalog::Snapshot snapshot;
  int level = 0;
  std::uint64_t chunks = 0;
  std::uint64_t bytes_read = 0;
  /// Why it stopped short of 3 without being wrong: "no --identity", "the VM has no
  /// vTPM".
  std::string reason;
};

/// identity      Null: level 1, and that every chunk the maps name has a place.
/// key_identity  What Azure Local's keys are wrapped to, where it is not `identity`;
///               may be null.
/// errors  kCorrupt with volume, member and component; kWrongKey; kInterrupted.
base::Result<VerifyReport> verify_snapshot(const SnapshotPlace& place,
                                           const catalog::Snapshot& snapshot,
                                           const keyvault::RecoveryKey* identity,
                                           const std::stop_token& stop,
                                           const KeyIdentity* key_identity = nullptr);

}  // namespace sealift::restore
