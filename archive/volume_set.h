// The volumes that a reader has opened, for their keys.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "archive/volume.h"

namespace sealift::archive {

/// Opens each volume once, when it is first asked for; keeps no index and no snapshot.
/// Threads: any.
class VolumeSet {
 public:
  /// What is given outlives this.
  VolumeSet(const ObjectReader& store, const RepositoryId& repository,
            const Trust& trust)
      : store_(&store), repository_(repository), trust_(&trust) {}

  /// errors  as open_volume(); the same again for a volume that failed before.
  ///         kCorrupt: there is no such volume.
  base::Result<std::shared_ptr<const Volume>> get(const std::string& name);

 private:
  using Opened = base::Result<std::shared_ptr<const Volume>>;
  Opened open(const std::string& name) const;

  const ObjectReader* store_;
  RepositoryId repository_;
  const Trust* trust_;
  std::mutex guard_;
  std::map<std::string, Opened> opened_;
};

/// kCorrupt when `error` says that an object is not there: what a signed text counts on
/// must be there. Any other error as it is.
base::Error missing_is_corrupt(base::Error error, const std::string& volume);

/// Which member of a volume holds `offset`, as far as its header blocks tell; for
/// messages. "" when they do not.
std::string member_at(const ObjectReader& store, const std::string& volume,
                      std::uint64_t offset);

}  // namespace sealift::archive
