// An inbox: the folder that scripts/azure-local/Export-SealiftVM.ps1 puts exports into,
// each finished once it has its sealift-export.json. docs/azure-local.md.
#pragma once

#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/hyperv_backup.h"

namespace sealift::backup {

/// Written last into an export: without it the export is not touched.
constexpr const char* kExportDocument = "sealift-export.json";

struct ExportFolders {
  bool is_inbox = false;
  std::vector<std::filesystem::path> finished;
  std::vector<std::filesystem::path> stored;      ///< In this repository, before.
  std::vector<std::filesystem::path> not_ours;    ///< Left alone: without the file.
  std::vector<std::filesystem::path> broken_off;  ///< Begun a day ago, not finished.
};

/// `folder` is an export, finished by its own sealift-export.json or put together by
/// hand; or an inbox, whose folders are exports.
/// errors  kBusy: the export is being written.  kRefused: an inbox lies deeper.
///         kNotFound, kIo.
base::Result<ExportFolders> find_exports(const std::filesystem::path& folder,
                                         const archive::RepositoryId& repository);

/// A VM of the cluster, exported or not.
struct InventoryVm {
  std::string id;  ///< Lower case.
  std::string name;
  bool is_trusted_launch = false;
  bool has_key = false;  ///< In the cluster's key vault.
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
  std::vector<InventoryVm> inventory;
};

/// errors  kNotFound: there is none.  kCorrupt: it is not as it should be.  kIo.
base::Result<ExportDocument> read_export_document(const std::filesystem::path& folder);

struct UnreadDocument {
  std::filesystem::path file;
  base::Error error;
};

struct ExportDocuments {
  std::map<std::filesystem::path, ExportDocument> read;  ///< By their folders.
  std::vector<UnreadDocument> unread;  ///< Those that are not as they should be.

  /// The newest of each cluster. Belong to this.
  std::vector<const ExportDocument*> inventories() const;
};

/// Of the exports at and below `folder`, stored before or not.
/// errors  kNotFound, kIo: the folder.
base::Result<ExportDocuments> read_documents(const std::filesystem::path& folder);

/// Reads every file that the document names and compares size and SHA-256; each of
/// `used` must be among them.
/// errors  kRefused: one is missing, or not what it was.  kInterrupted, kIo.
base::Status check_export_files(const std::filesystem::path& folder,
                                const ExportDocument& document,
                                const std::vector<std::filesystem::path>& used,
                                const std::stop_token& stop);

/// Writes sealift-stored.json beside: after this the export may be removed.
/// errors  kIo.
base::Status note_stored_export(const ExportOutcome& outcome,
                                const std::vector<VmOutcome>& vms,
                                const archive::RepositoryId& repository,
                                base::Timestamp now);

}  // namespace sealift::backup
