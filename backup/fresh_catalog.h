// The catalog brought up to date, in the order that misses no record.
#pragma once

#include <string>
#include <vector>

#include "backup/backup.h"

namespace sealift::backup {

/// Refreshes the catalog of `environment`. Volumes that are not believed do not exist
/// for a backup; a sentence for each.
/// errors  As catalog::Catalog::refresh().
base::Result<std::vector<std::string>> refresh_catalog(BackupEnvironment& environment);

}  // namespace sealift::backup
