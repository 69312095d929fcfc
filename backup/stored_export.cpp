#include "backup/stored_export.h"

#include <algorithm>

#include "backup/export_document.h"
#include "base/filesystem.h"
#include "keyvault/source_digest.h"

namespace sealift::backup {

namespace {

namespace fs = std::filesystem;

constexpr const char* kStored = "sealift-stored.json";
constexpr const char* kRepositories = "repositories";
constexpr const char* kRepository = "repository";
constexpr const char* kExportDigest = "export_sha256";
constexpr std::uint64_t kFormat = 2;
constexpr mode_t kMode = 0644;  // Names and ids; nothing of the VM.
constexpr int kTries = 5;

// What the repositories have said of the export with this digest, an entry each. What
// is of another export, or cannot be read, is nothing: they store it again.
base::Json read_entries(const fs::path& folder, const std::string& digest) {
  base::Json entries = base::Json::array();
  const auto json = read_document_json(folder / kStored, nullptr);
  if (!json) return entries;
  const auto of_export = base::json_string(json.value(), kExportDigest);
  if (!of_export || of_export.value() != digest) return entries;
  const auto list = base::json_array(json.value(), kRepositories);
  if (list) return list.value();
  // Format 1: the one repository that wrote last.
  base::Json entry = json.value();
  entry.erase("format");
  entry.erase(kExportDigest);
  if (base::json_string(entry, kRepository)) entries.push_back(std::move(entry));
  return entries;
}

bool is_of(const base::Json& entry, const archive::RepositoryId& repository) {
  const auto id = base::json_string(entry, kRepository);
  return id && id.value() == repository.hex();
}

base::Json entry_of(const ExportOutcome& outcome, const std::vector<VmOutcome>& vms,
                    const archive::RepositoryId& repository, base::Timestamp now) {
  base::Json entry{{kRepository, repository.hex()},
                   {"stored", now.text()},
                   {"snapshots", base::Json::array()}};
  for (const std::size_t at : outcome.places) {
    const catalog::Snapshot& snapshot = vms[at].snapshot;
    entry["snapshots"].push_back({{"vm_id", snapshot.vm_uuid},
                                  {"snapshot", snapshot.id.hex()},
                                  {"created", snapshot.created.text()},
                                  {"verdict", snapshot.verdict}});
  }
  return entry;
}

}  // namespace

bool is_stored(const fs::path& folder, const archive::RepositoryId& repository) {
  base::Bytes document;
  if (!read_document_json(folder / kExportDocument, &document)) return false;
  const std::string digest = keyvault::sha256(document).hex();
  const base::Json entries = read_entries(folder, digest);
  return std::ranges::any_of(
      entries, [&](const base::Json& entry) { return is_of(entry, repository); });
}

base::Status note_stored_export(const ExportOutcome& outcome,
                                const std::vector<VmOutcome>& vms,
                                const archive::RepositoryId& repository,
                                base::Timestamp now) {
  const std::string digest = outcome.said.hex();
  const base::Json own = entry_of(outcome, vms, repository, now);
  const auto has_own = [&](const base::Json& entries) {
    return std::ranges::find(entries, own) != entries.end();
  };
  // Another host may write its own entry at the same time, and one of the two is lost:
  // that one looks, and writes again.
  for (int number = 0; number < kTries; ++number) {
    base::Json entries = base::Json::array();
    for (const base::Json& entry : read_entries(outcome.folder, digest)) {
      if (!is_of(entry, repository)) entries.push_back(entry);
    }
    entries.push_back(own);
    const base::Json json{
        {"format", kFormat}, {kExportDigest, digest}, {kRepositories, entries}};
    const std::string text = json.dump(2) + "\n";
    auto written = base::real_filesystem().replace(outcome.folder / kStored,
                                                   base::as_bytes(text), kMode);
    if (!written) {
      return std::move(written).error().next(
          "the snapshots are stored; let this host write into the inbox, or it stores "
          "the export again at every run");
    }
    if (has_own(read_entries(outcome.folder, digest))) return base::Done{};
  }
  return base::Error(base::ErrorCode::kBusy,
                     "the export is stored, and the inbox cannot be told: others write "
                     "there all the time")
      .at("file", (outcome.folder / kStored).string())
      .next("run the backup again: it stores nothing twice");
}

}  // namespace sealift::backup
