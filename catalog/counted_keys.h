// Which frames count as stored (design.md, section 3, "Counted as stored").
#pragma once

#include <optional>
#include <set>
#include <unordered_set>

#include "archive/trust.h"
#include "catalog/database.h"

namespace sealift::catalog {

/// Rows of `frame_key` whose frames this host may count on: its own, in volumes that it
/// or a keeper wrote, and those of archives that a keeper attested. Anybody else could
/// store garbage under the id of a block that he knows.
/// errors  as Database::error().
base::Result<std::unordered_set<std::int64_t>> find_counted_keys(
    const Database& database, const archive::Trust& trust,
    const std::optional<archive::SignerId>& own,
    const std::set<archive::ArchiveId>& attested);

}  // namespace sealift::catalog
