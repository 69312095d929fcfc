// Which snapshot the operator means, and whether it is safe to go by that.
#pragma once

#include <string>

#include "cli/open.h"
#include "cli/session.h"

namespace sealift::cli {

/// The snapshot that `selector` names; newer ones passed over are named to the
/// operator. Where volumes are missing or not believed, "the newest of this VM" cannot
/// be known, so only a snapshot named by its own id is taken then. What is not believed
/// is reported; what is missing is for the caller to report.
///
/// errors  kCorrupt: a volume is not believed, and `selector` is no snapshot's id.
///         kNotFound, kUsage: as catalog::Catalog::find().
base::Result<catalog::Snapshot> select_snapshot(const Session& session,
                                                const OpenRepository& open,
                                                const std::string& selector);

}  // namespace sealift::cli
