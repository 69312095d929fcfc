// Compares what the repository shows with what the catalog knows.
#pragma once

#include <map>
#include <set>
#include <string>

#include "archive/repository.h"
#include "catalog/database.h"
#include "catalog/losses.h"

namespace sealift::catalog {

/// Volume objects by name, with their sizes.
using Listing = std::map<std::string, std::uint64_t>;

/// Forgets known volumes that a keeper removed; every other known one must still be
/// there, in its size.
/// errors  kCorrupt, or a loss: one vanished or changed its size; archive and VM in its
///         places.  kCorrupt: nothing at all is there.
base::Status check_known_volumes(const Database& database,
                                 const archive::Repository& repository,
                                 const Listing& listing,
                                 const std::set<std::string>& removed, Losses& losses);

/// Every archive with a snapshot must have all its volumes; notes which of them are
/// there and believed.
/// errors  kCorrupt, or a loss: one is missing; its name in the places.
base::Status check_archives(const Database& database,
                            const archive::Repository& repository,
                            const Listing& listing,
                            const std::set<std::string>& removed, Losses& losses);

}  // namespace sealift::catalog
