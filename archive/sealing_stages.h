// What each stage of sealing and opening chunks does here, measured with the code that
// does it.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/repository_document.h"

namespace sealift::archive {

/// The stage that takes no part in sealing: chunks of zeros go no further.
inline constexpr const char* kZeroCheck = "zero check";

/// Bytes of plaintext a second, whatever a stage itself handles.
struct StageRate {
  std::string name;  ///< "compression".
  double one = 0;    ///< By one thread alone.
  double all = 0;    ///< By as many as asked for, together.
};

struct SealingRates {
  std::vector<StageRate> stages;  ///< In the order of a backup.
  StageRate sealing;              ///< All of them, as a backup runs them.
  StageRate opening;              ///< What a restore does with a chunk.
  double stored_share = 0;        ///< Of the plaintext: what is written.
};

/// Data that compresses about as a guest's disk does: text, tables and noise by turns,
/// always the same. `size` bytes.
base::Bytes sample_of_a_disk(std::size_t size);

/// Data that does not compress, always the same.
base::Bytes noise(std::size_t size);

/// sample  16 MiB or more, so that it does not stay in a core's own cache.
/// each    How long each stage is measured for, twice.
/// errors  kInterrupted; kIo, kCorrupt: a stage does not work at all.
base::Result<SealingRates> measure_sealing(base::ByteView sample,
                                           const RepositorySettings& settings,
                                           unsigned jobs,
                                           std::chrono::milliseconds each,
                                           const std::stop_token& stop);

}  // namespace sealift::archive
