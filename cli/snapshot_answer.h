// A snapshot as commands answer with it.
#pragma once

#include "base/strict_json.h"
#include "catalog/catalog.h"

namespace sealift::cli {

/// The object of `list --json` and `backup --json`: a promise to scripts.
base::Json to_json(const catalog::Snapshot& snapshot);

/// The first digits of an id: what a listing shows, and what commands take.
std::string short_id(const archive::ArchiveId& id);

/// "web-01", or words for a name that is sealed.
std::string vm_label(const catalog::Snapshot& snapshot);

}  // namespace sealift::cli
