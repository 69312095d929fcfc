#include "backup/export_inbox.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "base/byte_count.h"
#include "base/filesystem.h"
#include "base/strict_json.h"
#include "base/uuid.h"
#include "keyvault/field_text.h"
#include "keyvault/source_digest.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

constexpr const char* kUnfinished = "sealift-export.unfinished";
constexpr auto kLongestExport = std::chrono::hours(24);
constexpr const char* kStored = "sealift-stored.json";
constexpr std::uint64_t kDocumentLimit = 16 * base::kMiB;
constexpr std::size_t kLongestName = 255;
constexpr mode_t kMode = 0644;  // Names and ids; nothing of the VM.

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

base::Result<base::Json> read_json(const fs::path& path, base::Bytes* bytes) {
  ASSIGN_OR_RETURN(base::Bytes content, base::read_file(path, kDocumentLimit));
  ASSIGN_OR_RETURN(const std::string text, keyvault::read_field_text(content));
  auto json = base::parse_strict_json(text);
  if (!json) {
    return base::Error(base::ErrorCode::kCorrupt, "an export's document is malformed")
        .because(json.error().what())
        .at("file", path.string())
        .next("export the VM again");
  }
  if (bytes != nullptr) *bytes = std::move(content);
  return json;
}

// Whether this repository holds just this export.
bool is_stored(const fs::path& folder, const archive::RepositoryId& repository) {
  const auto json = read_json(folder / kStored, nullptr);
  if (!json) return false;
  const auto where = base::json_string(json.value(), "repository");
  const auto what = base::json_string(json.value(), "export_sha256");
  const auto document = base::read_file(folder / kExportDocument, kDocumentLimit);
  return where && what && document && where.value() == repository.hex() &&
         what.value() == keyvault::sha256(document.value()).hex();
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

base::Status parse_files(const base::Json& json, ExportDocument& document) {
  ASSIGN_OR_RETURN(const base::Json files, base::json_array(json, "files"));
  for (const base::Json& entry : files) {
    ExportDocument::File file;
    ASSIGN_OR_RETURN(file.path, base::json_string(entry, "path"));
    ASSIGN_OR_RETURN(file.size, base::json_unsigned(entry, "size"));
    ASSIGN_OR_RETURN(const std::string digest, base::json_string(entry, "sha256"));
    ASSIGN_OR_RETURN(file.digest, archive::Sha256Digest::parse(digest));
    const fs::path path(file.path);
    const bool leads_out =
        path.is_absolute() || std::ranges::find(path, "..") != path.end();
    if (leads_out) {
      return base::Error(base::ErrorCode::kCorrupt, "a path leads out of the export")
          .at("path", file.path);
    }
    document.files.push_back(std::move(file));
  }
  return base::Done{};
}

base::Status parse_inventory(const base::Json& json, ExportDocument& document) {
  ASSIGN_OR_RETURN(const base::Json inventory, base::json_array(json, "inventory"));
  for (const base::Json& entry : inventory) {
    InventoryVm vm;
    ASSIGN_OR_RETURN(const std::string id, base::json_string(entry, "id"));
    ASSIGN_OR_RETURN(const base::Uuid uuid, base::Uuid::parse(id));
    vm.id = uuid.text();
    ASSIGN_OR_RETURN(vm.name, base::json_string(entry, "name"));
    ASSIGN_OR_RETURN(vm.has_key, base::json_bool(entry, "has_key"));
    ASSIGN_OR_RETURN(const std::string type,
                     base::json_string(entry, "guest_state_isolation_type"));
    vm.is_trusted_launch = type == "TrustedLaunch";
    document.inventory.push_back(std::move(vm));
  }
  return base::Done{};
}

base::Status parse(const base::Json& json, ExportDocument& document) {
  ASSIGN_OR_RETURN(const std::uint64_t format, base::json_unsigned(json, "format"));
  if (format != 1) {
    return base::Error(base::ErrorCode::kUnsupported,
                       "the export was written by a newer script");
  }
  ASSIGN_OR_RETURN(document.cluster, base::json_string(json, "cluster"));
  ASSIGN_OR_RETURN(document.host, base::json_string(json, "host"));
  ASSIGN_OR_RETURN(document.host_build, base::json_string(json, "host_build"));
  ASSIGN_OR_RETURN(document.created, base::json_string(json, "created"));
  for (const std::string* text :
       {&document.cluster, &document.host, &document.host_build}) {
    if (text->size() <= kLongestName) continue;
    return base::Error(base::ErrorCode::kCorrupt, "a name has more than 255 bytes");
  }
  RETURN_IF_ERROR(base::Timestamp::parse_stored(document.created));
  RETURN_IF_ERROR(parse_inventory(json, document));
  return parse_files(json, document);
}

base::Error not_what_it_was(const fs::path& path, const std::string& why) {
  return base::Error(base::ErrorCode::kRefused,
                     "a file is not what the export says of it")
      .because(why)
      .at("file", path.string())
      .next("export the VM again: it was damaged on its way, or changed");
}

base::Status check_file(const fs::path& path, const ExportDocument::File& said,
                        const std::stop_token& stop) {
  auto opened = base::open_bytes(path);
  if (!opened && opened.error().code() == base::ErrorCode::kNotFound) {
    return not_what_it_was(path, "it is not there");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<base::ByteSource> file, std::move(opened));
  if (file->size() != said.size) {
    return not_what_it_was(path, "it has " + std::to_string(file->size()) +
                                     " bytes, not " + std::to_string(said.size));
  }
  ASSIGN_OR_RETURN(const auto digest, keyvault::sha256_of(*file, stop));
  if (!digest) return base::Error(base::ErrorCode::kInterrupted, "the run was stopped");
  if (*digest != said.digest) {
    return not_what_it_was(path, "its SHA-256 is another");
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

base::Result<ExportDocument> read_export_document(const fs::path& folder) {
  base::Bytes bytes;
  ASSIGN_OR_RETURN(const base::Json json, read_json(folder / kExportDocument, &bytes));
  ExportDocument document;
  document.digest = keyvault::sha256(bytes);
  const base::Status parsed = parse(json, document);
  if (parsed) return document;
  const base::Error& error = parsed.error();
  if (error.code() == base::ErrorCode::kUnsupported) {
    return base::Error(error).at("file", (folder / kExportDocument).string());
  }
  return base::Error(base::ErrorCode::kCorrupt, "an export's document is malformed")
      .because(error.what())
      .at("file", (folder / kExportDocument).string())
      .next("export the VM again");
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

base::Status check_export_files(const fs::path& folder, const ExportDocument& document,
                                const std::vector<fs::path>& used,
                                const std::stop_token& stop) {
  std::set<fs::path> named;
  for (const ExportDocument::File& file : document.files) {
    const fs::path path = folder / file.path;
    RETURN_IF_ERROR(check_file(path, file, stop));
    named.insert(path);
  }
  for (const fs::path& path : used) {
    if (named.contains(path)) continue;
    return not_what_it_was(path, "the export does not name it");
  }
  return base::Done{};
}

base::Status note_stored_export(const ExportOutcome& outcome,
                                const std::vector<VmOutcome>& vms,
                                const archive::RepositoryId& repository,
                                base::Timestamp now) {
  base::Json json{{"format", 1},
                  {"repository", repository.hex()},
                  {"export_sha256", outcome.said.hex()},
                  {"stored", now.text()},
                  {"snapshots", base::Json::array()}};
  for (const std::size_t at : outcome.places) {
    const catalog::Snapshot& snapshot = vms[at].snapshot;
    json["snapshots"].push_back({{"vm_id", snapshot.vm_uuid},
                                 {"snapshot", snapshot.id.hex()},
                                 {"created", snapshot.created.text()},
                                 {"verdict", snapshot.verdict}});
  }
  const std::string text = json.dump(2) + "\n";
  return base::real_filesystem().replace(outcome.folder / kStored, base::as_bytes(text),
                                         kMode);
}

}  // namespace sealift::backup
