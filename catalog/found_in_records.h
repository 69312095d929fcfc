// What the keepers' records say that the catalog must know.
#pragma once

#include <map>
#include <set>
#include <string>

#include "archive/repository.h"
#include "catalog/chain_check.h"

namespace sealift::catalog {

struct FoundInRecords {
  /// Volumes that are gone on purpose (`removed`, `compacted`).
  std::set<std::string> removed_volumes;
  /// Archives whose every chunk a keeper opened (`verified`, level 2 or 3).
  std::set<archive::ArchiveId> attested;
  /// The chain as far as records show it, removed snapshots included; by signer.
  std::map<archive::SignerId, std::vector<ChainLink>> links;
};

/// Only what a keeper wrote before it was revoked counts for the first two.
/// errors  kCorrupt: a field of such a record does not say what it should.
base::Result<FoundInRecords> read_records(const archive::Repository& repository);

}  // namespace sealift::catalog
