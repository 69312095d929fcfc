// The SHA-256 of something that is larger than memory.
#pragma once

#include <optional>
#include <stop_token>

#include "base/byte_source.h"
#include "keyvault/digest.h"

namespace sealift::keyvault {

/// Reads all of `source`, a MiB at a time.
/// return  None: `stop` was asked.
/// errors  As base::ByteSource::read().
base::Result<std::optional<Sha256Digest>> sha256_of(const base::ByteSource& source,
                                                    const std::stop_token& stop);

}  // namespace sealift::keyvault
