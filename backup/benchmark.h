// What this host can do, stage by stage, and which stage will be the limit.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "archive/object_store.h"
#include "archive/sealing_stages.h"

namespace sealift::backup {

/// Bytes a second, of what is stored.
struct StorageRates {
  double write = 0;
  std::optional<double> read;  ///< None: no volume is there yet.
};

struct Benchmark {
  archive::SealingRates sealing;
  std::optional<StorageRates> storage;  ///< None: no repository was named.
};

/// The stage that everything waits for, and what is left to it.
struct Limit {
  std::string stage;  ///< "computing, above all compression,", ...
  double rate = 0;    ///< Bytes of a disk a second.
};

Limit limit_of_backup(const Benchmark& benchmark);
/// As far as it is known here: the disk that is restored to is not.
Limit limit_of_restore(const Benchmark& benchmark);

/// Writes up to 256 MiB, for 5 s at most, into an object that is never published, and
/// reads as much of a volume that is there. Nothing is left.
/// errors  as ObjectStore.  kInterrupted.
base::Result<StorageRates> measure_storage(archive::ObjectStore& store,
                                           const std::stop_token& stop);

}  // namespace sealift::backup
