#include "backup/stored_export.h"

#include "backup/export_document.h"
#include "base/filesystem.h"
#include "base/strict_json.h"
#include "keyvault/source_digest.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

constexpr const char* kStored = "sealift-stored.json";
constexpr mode_t kMode = 0644;  // Names and ids; nothing of the VM.

}  // namespace

bool is_stored(const fs::path& folder, const archive::RepositoryId& repository) {
  const auto json = read_document_json(folder / kStored, nullptr);
  if (!json) return false;
  const auto where = base::json_string(json.value(), "repository");
  const auto what = base::json_string(json.value(), "export_sha256");
  base::Bytes document;
  const auto read = read_document_json(folder / kExportDocument, &document);
  return where && what && read && where.value() == repository.hex() &&
         what.value() == keyvault::sha256(document).hex();
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
