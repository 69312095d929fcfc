#include "backup/export_document.h"

#include <algorithm>
#include <set>

#include "base/byte_count.h"
#include "base/filesystem.h"
#include "base/timestamp.h"
#include "base/uuid.h"
#include "keyvault/field_text.h"
#include "keyvault/source_digest.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kDocumentLimit = 16 * base::kMiB;
constexpr std::size_t kLongestName = 255;

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

base::Result<std::vector<InventoryVm>> parse_vms(const base::Json& json,
                                                 const char* list,
                                                 const char* key_member) {
  ASSIGN_OR_RETURN(const base::Json entries, base::json_array(json, list));
  std::vector<InventoryVm> vms;
  for (const base::Json& entry : entries) {
    InventoryVm vm;
    ASSIGN_OR_RETURN(const std::string id, base::json_string(entry, "id"));
    ASSIGN_OR_RETURN(const base::Uuid uuid, base::Uuid::parse(id));
    vm.id = uuid.text();
    ASSIGN_OR_RETURN(vm.name, base::json_string(entry, "name"));
    ASSIGN_OR_RETURN(vm.has_key, base::json_bool(entry, key_member));
    ASSIGN_OR_RETURN(const std::string type,
                     base::json_string(entry, "guest_state_isolation_type"));
    vm.is_trusted_launch = type == "TrustedLaunch";
    vms.push_back(std::move(vm));
  }
  return vms;
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
  ASSIGN_OR_RETURN(document.vms, parse_vms(json, "vms", "protection_key"));
  ASSIGN_OR_RETURN(document.inventory, parse_vms(json, "inventory", "has_key"));
  return parse_files(json, document);
}

base::Error malformed(const fs::path& path, const base::Error& why) {
  std::string cause = why.what();
  for (const base::Error::Place& place : why.places()) {
    cause += std::string(", ").append(place.kind).append(" ").append(place.name);
  }
  return base::Error(base::ErrorCode::kCorrupt, "an export's document is malformed")
      .because(cause)
      .at("file", path.string())
      .next("export the VM again");
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

base::Result<base::Json> read_document_json(const fs::path& path, base::Bytes* bytes) {
  ASSIGN_OR_RETURN(base::Bytes content, base::read_file(path, kDocumentLimit));
  const auto text = keyvault::read_field_text(content);
  auto json = text ? base::parse_strict_json(text.value())
                   : base::Result<base::Json>(text.error());
  if (!json) return malformed(path, json.error());
  if (bytes != nullptr) *bytes = std::move(content);
  return json;
}

base::Result<ExportDocument> read_export_document(const fs::path& folder) {
  base::Bytes bytes;
  ASSIGN_OR_RETURN(const base::Json json,
                   read_document_json(folder / kExportDocument, &bytes));
  ExportDocument document;
  document.digest = keyvault::sha256(bytes);
  const base::Status parsed = parse(json, document);
  if (parsed) return document;
  const base::Error& error = parsed.error();
  if (error.code() == base::ErrorCode::kUnsupported) {
    return base::Error(error)
        .at("file", (folder / kExportDocument).string())
        .next("install a newer sealift here; or export with the script of this one");
  }
  return malformed(folder / kExportDocument, error);
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
    return base::Error(base::ErrorCode::kRefused,
                       "a file lies in the export that the script did not write")
        .because("the export does not name it")
        .at("file", path.string())
        .next(
            "take it out of the folder; if it belongs to the VM, export the VM again");
  }
  return base::Done{};
}

}  // namespace sealift::backup
