// The volumes that a snapshot needs, against their signed sums.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/segment_checks.h"
#include "archive/volume.h"

namespace sealift::restore {

/// errors  kCorrupt: the volume is missing, or as archive::open_volume().
base::Result<archive::Volume> open_believed(const archive::VolumeSource& source,
                                            const std::string& name);

/// Signature, sums, header and tail of each of `names` are checked; their segments are
/// to be: where they are read, or by check_rest(). What `source` refers to outlives the
/// result.
/// errors  as open_believed(), archive::SegmentChecks::add().  kInterrupted.
base::Result<std::unique_ptr<archive::SegmentChecks>> open_volumes(
    const archive::VolumeSource& source, const std::vector<std::string>& names,
    const std::stop_token& stop);

/// Every byte that nobody has checked yet. `told` hears how far it is; may be null.
/// errors  kCorrupt with volume and member: the first that was found.  kInterrupted.
base::Status check_rest(archive::SegmentChecks& checks,
                        const std::function<void(const std::string& words)>& told,
                        const std::stop_token& stop);

}  // namespace sealift::restore
