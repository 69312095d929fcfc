// Every byte of a volume against its signed sums, for several volumes at once.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/volume.h"

namespace sealift::restore {

/// errors  kCorrupt: the volume is missing, or as archive::open_volume().
base::Result<archive::Volume> open_believed(const archive::Repository& repository,
                                            const std::string& name);

struct CheckedVolumes {
  std::size_t volumes = 0;
  std::uint64_t bytes = 0;
};

/// Level 1 for each of `names`. `told` is called before each, from one thread at a
/// time.
/// errors  kCorrupt with volume and member: the first that was found.  kInterrupted.
base::Result<CheckedVolumes> check_volumes(
    const archive::Repository& repository, const std::vector<std::string>& names,
    const std::function<void(const std::string& words)>& told, std::stop_token stop);

}  // namespace sealift::restore
