#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include "archive/restored_names.h"
#include "base/byte_count.h"
#include "keyvault/source_digest.h"
#include "restore/handover.h"
#include "restore/new_folder.h"
#include "restore/restore.h"
#include "restore/snapshot_contents.h"
#include "restore/undo.h"
#include "restore/volume_checks.h"
#include "restore/workers.h"
#include "vm/disk_target.h"

namespace sealift::restore {

namespace {

namespace fs = std::filesystem;

constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kPrivateFolder = 0700;

base::Status must_be_new_or_empty(const fs::path& folder) {
  std::error_code failure;
  const fs::file_status status = fs::status(folder, failure);
  if (status.type() == fs::file_type::not_found) return base::Done{};
  if (failure) {
    return base::system_error(failure.value(), "cannot look into the folder")
        .at("folder", folder.string());
  }
  const bool is_empty =
      fs::is_directory(status) && fs::is_empty(folder, failure) && !failure;
  if (is_empty) return base::Done{};
  return base::Error(base::ErrorCode::kRefused,
                     "the folder is not empty and is left as it is")
      .at("folder", folder.string())
      .next("name a new or empty folder");
}

// As on the source; only libvirt's disks have no file of their own to be as.
std::string file_name(const archive::Manifest& manifest,
                      const archive::Component& component) {
  if (manifest.platform == "hyper-v") {
    return component.attributes.at(archive::kExportPath);  // Rule M9: it is there.
  }
  const bool is_content = component.kind == "disk" && manifest.platform == "libvirt";
  return is_content ? component.name + ".raw" : component.name;
}

// As the manifest may name things; the source's own dots in front are kept.
bool is_plain_name(const std::string& name) {
  constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_not_of(kCharacters) == std::string::npos;
}

// Paths become files below the folder, each its own, and none the folder of another.
class OwnNames {
 public:
  base::Status take(const std::string& path) {
    for (std::size_t end = path.find('/'); end != std::string::npos;
         end = path.find('/', end + 1)) {
      folders_.insert(path.substr(0, end));
    }
    const bool is_own = archive::is_export_path(path) && files_.insert(path).second;
    const bool is_apart = std::ranges::none_of(
        files_, [this](const std::string& file) { return folders_.contains(file); });
    if (is_own && is_apart) return base::Done{};
    return base::Error(base::ErrorCode::kCorrupt,
                       "the snapshot names what cannot be a file of its own")
        .at("file", path);
  }

 private:
  std::set<std::string> files_;
  std::set<std::string> folders_;
};

base::Status must_have_own_names(const archive::SnapshotReader& reader,
                                 const std::optional<Handover>& handover) {
  OwnNames names;
  const archive::Manifest& manifest = reader.manifest();
  for (const archive::Component& component : manifest.components) {
    const std::string name = file_name(manifest, component);
    if (manifest.platform == "libvirt" && !is_plain_name(name)) {
      return base::Error(base::ErrorCode::kCorrupt,
                         "the manifest names what cannot be a file of its own")
          .at("component", component.kind + " " + component.name);
    }
    auto status = names.take(name);
    if (status) continue;
    return std::move(status).error().at("component",
                                        component.kind + " " + component.name);
  }
  for (const auto& [member, text] : reader.protection_keys()) {
    RETURN_IF_ERROR(names.take(member));
  }
  if (!handover) return base::Done{};
  for (const HandoverFile& file : handover->files) {
    RETURN_IF_ERROR(names.take(file.path));
  }
  return names.take(std::string(archive::kRestoreRecord));
}

// Of the file as it lies there. Chunks are written in no order, so it is read once
// more.
base::Result<std::string> sum_of(const fs::path& path, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const auto file, base::open_bytes(path));
  ASSIGN_OR_RETURN(const auto digest, keyvault::sha256_of(*file, stop));
  if (digest) return digest->hex();
  return base::Error(base::ErrorCode::kInterrupted, "the restore was stopped");
}

class Writing {
 public:
  Writing(const RestoreEnvironment& environment, const archive::SnapshotReader& reader,
          archive::SegmentChecks& checks, fs::path folder, std::stop_token stop)
      : environment_(environment),
        reader_(reader),
        checks_(checks),
        folder_(std::move(folder)),
        stop_(std::move(stop)) {}

  base::Status all(const std::optional<Handover>& handover) {
    RETURN_IF_ERROR(make_missing_folders(folder_, kPrivateFolder, undo_));
    for (const archive::Component& component : reader_.manifest().components) {
      base::Status status = write_component(component);
      if (status) continue;
      return std::move(status).error().at("component",
                                          component.kind + " " + component.name);
    }
    for (const auto& [member, text] : reader_.protection_keys()) {
      RETURN_IF_ERROR(write_small_file(member, text));
    }
    RETURN_IF_ERROR(check_rest(checks_, environment_.progress, stop_));
    return handover ? hand_over(*handover) : base::Done{};
  }

  base::Error roll_back(base::Error error) { return undo_.roll_back(std::move(error)); }

 private:
  void tell(const char* action, const fs::path& path,
            const archive::Component& component) const {
    if (!environment_.progress) return;
    environment_.progress(action + path.string() + " (" +
                          base::ByteCount(component.size).text() + ")");
  }

  base::Status hand_over(const Handover& handover) {
    std::map<std::string, std::string> sums;
    for (const archive::Component& component : reader_.manifest().components) {
      const std::string name = file_name(reader_.manifest(), component);
      tell("reading back ", folder_ / name, component);
      ASSIGN_OR_RETURN(sums[name], sum_of(folder_ / name, stop_));
    }
    for (const HandoverFile& file : handover.files) {
      RETURN_IF_ERROR(write_small_file(file.path, file.text));
    }
    return write_small_file(std::string(archive::kRestoreRecord),
                            record_text(handover, sums));
  }

  // Large or small, a component is a file that is written where it holds data.
  base::Status write_component(const archive::Component& component) {
    const fs::path path = folder_ / file_name(reader_.manifest(), component);
    tell("writing ", path, component);
    RETURN_IF_ERROR(make_missing_folders(path.parent_path(), kPrivateFolder, undo_));
    ASSIGN_OR_RETURN(const std::unique_ptr<vm::DiskTarget> file,
                     vm::create_raw_disk(path, component.size));
    RETURN_IF_ERROR(reader_.read(
        component,
        [&file](std::uint64_t offset, base::ByteView chunk) {
          return file->write(offset, chunk);
        },
        worker_count(), stop_, &checks_));
    RETURN_IF_ERROR(file->finish());
    remember(path);
    return base::Done{};
  }

  base::Status write_small_file(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    RETURN_IF_ERROR(make_missing_folders(path.parent_path(), kPrivateFolder, undo_));
    RETURN_IF_ERROR(base::publish(base::real_filesystem(), path, base::as_bytes(text),
                                  kPrivateFile));
    remember(path);
    return base::Done{};
  }

  void remember(const fs::path& path) {
    undo_.add(path.string(), [path] { return base::real_filesystem().remove(path); });
  }

  const RestoreEnvironment& environment_;
  const archive::SnapshotReader& reader_;
  archive::SegmentChecks& checks_;
  fs::path folder_;
  std::stop_token stop_;
  Undo undo_;
};

}  // namespace

base::Status restore_to_directory(const RestoreEnvironment& environment,
                                  const DirectoryRequest& request,
                                  std::stop_token stop) {
  const fs::path absolute = fs::absolute(request.folder).lexically_normal();
  RETURN_IF_ERROR(must_be_new_or_empty(absolute));
  const SnapshotPlace& place = environment.place;
  ASSIGN_OR_RETURN(const std::unique_ptr<archive::SnapshotReader> reader,
                   open_snapshot(place, request.snapshot, &environment.identity));
  std::optional<Handover> handover;
  if (request.wrap) {
    ASSIGN_OR_RETURN(handover,
                     make_handover(*reader, request.snapshot, place, *request.wrap));
  }
  RETURN_IF_ERROR(must_have_own_names(*reader, handover));
  ASSIGN_OR_RETURN(const std::vector<std::string> volumes,
                   volumes_of(place, *reader, request.snapshot, stop));
  ASSIGN_OR_RETURN(const auto checks, open_volumes(place.source, volumes, stop));
  Writing writing(environment, *reader, *checks, absolute, std::move(stop));
  base::Status status = writing.all(handover);
  if (status) return status;
  return writing.roll_back(
      std::move(status).error().at("vm", reader->manifest().vm_name));
}

}  // namespace sealift::restore
