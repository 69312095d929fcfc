// Where volumes are read from, and who is believed: a repository, or files that left
// one.
#pragma once

#include <optional>

#include "archive/object_store.h"
#include "archive/repository_document.h"
#include "archive/trust.h"

namespace sealift::archive {

/// What it refers to outlives what is read through it.
struct VolumeSource {
  const ObjectReader& store;
  RepositoryId repository;
  const Trust& trust;
  std::optional<std::uint32_t> chunk_size;  ///< None: it is not known beforehand.
};

}  // namespace sealift::archive
