#include "backup/export_inbox.h"

#include <algorithm>
#include <chrono>

#include "backup/stored_export.h"
#include "base/filesystem.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

constexpr const char* kUnfinished = "sealift-export.unfinished";
constexpr std::string_view kOurPrefix = "sealift-";
constexpr const char* kNoTime = "none";  // Behind every RFC 3339 time.
constexpr auto kLongestExport = std::chrono::hours(24);

bool is_there(const fs::path& path) {
  std::error_code failure;
  return fs::exists(fs::symlink_status(path, failure));
}

// The script writes its mark when it begins.
bool has_broken_off(const fs::path& folder) {
  std::error_code failure;
  const fs::file_time_type begun = fs::last_write_time(folder / kUnfinished, failure);
  return !failure && fs::file_time_type::clock::now() - begun > kLongestExport;
}

base::Result<std::vector<fs::path>> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders;
  std::error_code failure;
  for (auto entry = fs::directory_iterator(folder, failure);
       !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    if (entry->symlink_status(failure).type() == fs::file_type::directory) {
      folders.push_back(entry->path());
    }
  }
  if (failure == std::errc::not_a_directory) {
    return base::Error(base::ErrorCode::kRefused, "an export is a folder, this is none")
        .at("file", folder.string())
        .next("name the folder that Export-VM wrote");
  }
  if (failure == std::errc::no_such_file_or_directory) {
    return base::Error(base::ErrorCode::kNotFound, "the export is not there")
        .at("folder", folder.string())
        .next("is the share mounted?");
  }
  if (failure) {
    return base::system_error(failure.value(), "cannot read a folder")
        .at("folder", folder.string());
  }
  std::ranges::sort(folders);
  return folders;
}

// What the script left anywhere below; none.
base::Result<std::optional<fs::path>> find_deeper(const fs::path& folder) {
  std::error_code failure;
  auto entry = fs::recursive_directory_iterator(folder, failure);
  for (; !failure && entry != fs::recursive_directory_iterator();
       entry.increment(failure)) {
    const fs::path name = entry->path().filename();
    if (name == kExportDocument || name == kUnfinished) {
      return std::optional(entry->path());
    }
  }
  if (failure) {
    return base::system_error(failure.value(), "cannot read a folder")
        .at("folder", folder.string());
  }
  return std::optional<fs::path>();
}

// A part of an export says nothing of whether the export is finished.
base::Status must_be_no_part(const fs::path& folder) {
  for (fs::path above = folder.parent_path(); above.has_relative_path();
       above = above.parent_path()) {
    if (!is_there(above / kExportDocument) && !is_there(above / kUnfinished)) continue;
    return base::Error(base::ErrorCode::kRefused,
                       "the folder is a part of an export; nothing was stored")
        .at("folder", folder.string())
        .next("name the export: " + above.string());
  }
  return base::Done{};
}

}  // namespace

base::Result<ExportFolders> find_exports(const fs::path& folder,
                                         const archive::RepositoryId& repository) {
  ExportFolders found;
  ASSIGN_OR_RETURN(const std::vector<fs::path> below, folders_in(folder));
  const auto is_finished = [](const fs::path& place) {
    return is_there(place / kExportDocument) && !is_there(place / kUnfinished);
  };
  if (is_finished(folder)) {
    found.is_inbox = true;
    (is_stored(folder, repository) ? found.stored : found.finished).push_back(folder);
    return found;
  }
  if (is_there(folder / kUnfinished)) {
    return base::Error(base::ErrorCode::kBusy, "the export is still being written")
        .at("folder", folder.string())
        .next("wait until its " + std::string(kExportDocument) +
              " is there; one that broke off is to be removed");
  }
  for (const fs::path& part : below) {
    if (is_finished(part)) {
      (is_stored(part, repository) ? found.stored : found.finished).push_back(part);
      found.is_inbox = true;
    } else {
      (has_broken_off(part) ? found.broken_off : found.not_ours).push_back(part);
      found.is_inbox = found.is_inbox || is_there(part / kUnfinished);
    }
  }
  if (found.is_inbox) return found;
  ASSIGN_OR_RETURN(const std::optional<fs::path> deeper, find_deeper(folder));
  if (deeper) {
    return base::Error(base::ErrorCode::kRefused,
                       "an inbox lies deeper, and the folder itself is none")
        .at("folder", folder.string())
        .at("file", deeper->string())
        .next("name the inbox: " + deeper->parent_path().parent_path().string());
  }
  RETURN_IF_ERROR(must_be_no_part(folder));
  found.finished = {folder};
  found.not_ours.clear();
  return found;
}

std::vector<fs::path> oldest_first(std::vector<fs::path> exports) {
  std::map<fs::path, std::string> times;
  for (const fs::path& folder : exports) {
    const auto document = read_export_document(folder);
    times[folder] = document ? document->created : kNoTime;
  }
  std::ranges::stable_sort(exports, {},
                           [&](const fs::path& folder) { return times.at(folder); });
  return exports;
}

base::Result<std::vector<fs::path>> files_besides(const fs::path& folder,
                                                  const std::vector<fs::path>& known) {
  std::vector<fs::path> others;
  std::error_code failure;
  auto entry = fs::recursive_directory_iterator(folder, failure);
  for (; !failure && entry != fs::recursive_directory_iterator();
       entry.increment(failure)) {
    if (entry->symlink_status(failure).type() == fs::file_type::directory) continue;
    const fs::path& path = entry->path();
    const bool is_ours =
        entry.depth() == 0 && path.filename().string().starts_with(kOurPrefix);
    if (!is_ours && std::ranges::find(known, path) == known.end()) {
      others.push_back(path);
    }
  }
  if (failure) {
    return base::system_error(failure.value(), "cannot read a folder")
        .at("folder", folder.string());
  }
  std::ranges::sort(others);
  return others;
}

std::vector<const ExportDocument*> ExportDocuments::inventories() const {
  std::map<std::string, const ExportDocument*> newest;
  for (const auto& [folder, document] : read) {
    const ExportDocument*& known = newest[document.cluster];
    if (known == nullptr || known->created <= document.created) known = &document;
  }
  std::vector<const ExportDocument*> documents;
  documents.reserve(newest.size());
  for (const auto& [cluster, document] : newest) documents.push_back(document);
  return documents;
}

base::Result<ExportDocuments> read_documents(const fs::path& folder) {
  ExportDocuments found;
  ASSIGN_OR_RETURN(std::vector<fs::path> folders, folders_in(folder));
  folders.push_back(folder);
  for (const fs::path& place : folders) {
    if (!is_there(place / kExportDocument)) continue;
    auto document = read_export_document(place);
    if (document) {
      found.read.emplace(place, std::move(document).value());
    } else {
      found.unread.push_back({place / kExportDocument, std::move(document).error()});
    }
  }
  std::ranges::sort(found.unread, {}, &UnreadDocument::file);
  return found;
}

}  // namespace sealift::backup
