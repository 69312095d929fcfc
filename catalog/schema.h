// The tables of a catalog, and how an older one becomes today's.
#pragma once

#include "archive/ids.h"
#include "catalog/database.h"

namespace sealift::catalog {

/// What `PRAGMA user_version` says when every migration ran.
constexpr int kSchemaVersion = 1;

/// Brings `database` to kSchemaVersion and binds it to `repository`. Two processes may
/// do so at once.
/// errors  kRefused: it belongs to another repository, or is no catalog.
///         kUnsupported: a newer schema.  kCorrupt, kIo, kBusy.
base::Status prepare_schema(const Database& database,
                            const archive::RepositoryId& repository);

}  // namespace sealift::catalog
