// What this host can do, stage by stage, and which stage will be the limit.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/object_store.h"
#include "archive/sealing_stages.h"

namespace sealift::backup {

/// Bytes a second, of what is stored.
struct StorageRates {
  std::optional<double> write;  ///< None: `write_failure` says why.
  std::optional<double> read;   ///< None: no volume is there yet.
  std::optional<base::Error> write_failure;
};

struct Benchmark {
  archive::SealingRates sealing;
  std::optional<StorageRates> storage;  ///< None: no repository was named.
};

/// The stage that everything waits for, and what is left to it.
struct Limit {
  std::string stage;      ///< "computing", "writing to the repository", ...
  double rate = 0;        ///< Bytes of a disk a second.
  std::string above_all;  ///< "compression": the dearest part of it; may be empty.
};

/// As far as it is known here: the disks that are read, or restored to, are not.
Limit limit_of_backup(const Benchmark& benchmark);
Limit limit_of_restore(const Benchmark& benchmark);

/// What each stage takes of the processor time of a backup, in whole percent that add
/// up to 100; 0 for the zero check, which only holes need. In the order of the stages.
std::vector<unsigned> percents_of_a_backup(const archive::SealingRates& rates);

/// Writes into an object that is never published: up to 256 MiB, for 5 s at most, and
/// no more than a hundredth of `free_room`, which backups that run meanwhile need.
/// Reads up to 256 MiB of a volume that is there. Nothing is left. errors kInterrupted.
/// Of reading, as ObjectReader.
base::Result<StorageRates> measure_storage(archive::ObjectStore& store,
                                           std::uint64_t free_room,
                                           const std::stop_token& stop);

}  // namespace sealift::backup
