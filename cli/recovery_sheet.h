// The page for the safe, as HTML that prints on one sheet of A4.
#pragma once

#include <string>
#include <vector>

#include "archive/repository_document.h"
#include "base/timestamp.h"

namespace sealift::cli {

struct SheetFacts {
  std::string place;    ///< Where the repository is, as this host names it.
  std::string cluster;  ///< Whose VMs it holds.
  std::string host;     ///< Where the sheet was made.
  base::Timestamp made;
  archive::RepositoryId id;
  std::vector<keyvault::Recipient> recipients;
  std::vector<keyvault::Recipient> key_recipients;  ///< For protection keys alone.
};

/// Self-contained: no script, no picture, nothing fetched. No secret is on it.
std::string recovery_sheet(const SheetFacts& facts);

}  // namespace sealift::cli
