// An inbox: the folder that scripts/azure-local/Export-SealiftVM.ps1 puts exports into,
// each finished once it has its sealift-export.json. docs/azure-local.md.
#pragma once

#include <filesystem>
#include <map>
#include <vector>

#include "archive/ids.h"
#include "backup/export_document.h"

namespace sealift::backup {

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

/// By the times that the exports say; those that say none come last, in their order. Of
/// two exports of a VM the later one is then stored last.
std::vector<std::filesystem::path> oldest_first(
    std::vector<std::filesystem::path> exports);

/// What lies in an export besides `known` and our own files at its top. errors  kIo.
base::Result<std::vector<std::filesystem::path>> files_besides(
    const std::filesystem::path& folder,
    const std::vector<std::filesystem::path>& known);

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

}  // namespace sealift::backup
