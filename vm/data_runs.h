// The parts of a piece of disk that are worth writing to a new image.
#pragma once

#include <functional>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::vm {

/// Calls `write` for each run of `bytes` that is not zeros, in slices of 64 KiB (a
/// qcow2 cluster): a new image reads as zeros where nothing was written, and stays
/// sparse.
/// errors  what `write` returns, at once.
base::Status for_each_data_run(
    std::uint64_t offset, base::ByteView bytes,
    const std::function<base::Status(std::uint64_t, base::ByteView)>& write);

}  // namespace sealift::vm
