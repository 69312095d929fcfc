// What an open catalog holds.
#pragma once

#include <mutex>
#include <set>
#include <unordered_set>

#include "catalog/catalog.h"
#include "catalog/database.h"

namespace sealift::catalog {

struct Catalog::State {
  State(archive::RepositoryId bound, Database opened)
      : repository(bound), database(std::move(opened)) {}

  archive::RepositoryId repository;
  Database database;

  /// Guards what follows: lookups come from several threads.
  std::mutex mutex;
  Query contains;
  Query locate;
  std::unordered_set<std::int64_t> counted_keys;  ///< Rows of `frame_key`.
  std::set<archive::ArchiveId> attested;          ///< By a keeper, as last read.
  std::set<std::string> lost_volumes;  ///< Known, and not there when last read.
};

}  // namespace sealift::catalog
