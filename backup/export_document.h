// What an export says of itself and of its cluster: sealift-export.json, which
// scripts/azure-local/Export-SealiftVM.ps1 writes. docs/azure-local.md.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/ids.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/strict_json.h"

namespace sealift::backup {

/// Written last into an export: without it the export is not touched.
constexpr const char* kExportDocument = "sealift-export.json";

/// A VM of the cluster, exported or not.
struct InventoryVm {
  std::string id;  ///< Lower case.
  std::string name;
  bool is_trusted_launch = false;
  bool has_key = false;  ///< In the cluster's key vault; of one in `vms`, exported.
};

/// What an export says of itself and of its cluster.
struct ExportDocument {
  struct File {
    std::string path;  ///< Below the folder, with '/'.
    std::uint64_t size = 0;
    archive::Sha256Digest digest;
  };
  archive::Sha256Digest digest;  ///< Of the document.
  std::string cluster;
  std::string host;
  std::string host_build;
  std::string created;  ///< RFC 3339.
  std::vector<File> files;
  std::vector<InventoryVm> vms;        ///< Those that were exported.
  std::vector<InventoryVm> inventory;  ///< All of the cluster.
};

/// errors  kNotFound: there is none.  kCorrupt: it is not as it should be.  kIo.
base::Result<ExportDocument> read_export_document(const std::filesystem::path& folder);

/// Reads every file that the document names and compares size and SHA-256; each of
/// `used` must be among them.
/// errors  kRefused: one is missing, or not what it was.  kInterrupted, kIo.
base::Status check_export_files(const std::filesystem::path& folder,
                                const ExportDocument& document,
                                const std::vector<std::filesystem::path>& used,
                                const std::stop_token& stop);

/// A document of the inbox, as JSON; its bytes, if they are wanted.
/// errors  kNotFound, kCorrupt, kIo.
base::Result<base::Json> read_document_json(const std::filesystem::path& path,
                                            base::Bytes* bytes);

}  // namespace sealift::backup
