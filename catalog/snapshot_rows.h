// Snapshots as the catalog lists them.
#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "catalog/database.h"

namespace sealift::catalog {

/// Those whose id begins with `prefix` (lower-case hexadecimal digits), newest first.
base::Result<std::vector<Snapshot>> snapshots_with_prefix(const Database& database,
                                                          const std::string& prefix);

/// `vm` is a name, or a UUID in any case; empty for every VM. Newest first.
base::Result<std::vector<Snapshot>> snapshots_of(const Database& database,
                                                 const std::string& vm);

}  // namespace sealift::catalog
