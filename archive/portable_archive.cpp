#include "archive/portable_archive.h"

#include "archive/frame_keys.h"
#include "archive/place_table.h"
#include "archive/portable_files.h"
#include "archive/rule.h"
#include "archive/volume_tail.h"

namespace sealift::archive {

namespace {

namespace fs = std::filesystem;

class OpenedFiles final : public PortableArchive {
 public:
  OpenedFiles(Trust trust, const keyvault::RecoveryKey& identity)
      : trust_(std::move(trust)), identity_(identity) {}

  base::Status add(const fs::path& path);
  base::Status choose(const std::string& wanted);
  base::Status find_places();

  VolumeSource source() const override { return {files_, repository_, trust_, {}}; }
  const ChunkLocator& locator() const override { return places_; }
  const Volume& last_volume() const override { return last_; }
  const Manifest& manifest() const override { return parsed_.manifest; }

 private:
  base::Result<Volume> open(const std::string& name) const;

  PortableFiles files_;
  Trust trust_;
  const keyvault::RecoveryKey& identity_;
  RepositoryId repository_;
  std::vector<std::string> with_snapshot_;
  Volume last_;
  ParsedManifest parsed_;
  PlaceTable places_;
};

struct FileFacts {
  VolumeHeader header;
  bool has_snapshot = false;
};

base::Result<FileFacts> look_at(const fs::path& path, const Trust& trust) {
  PortableFiles alone;
  const std::string name = path.string();
  ASSIGN_OR_RETURN(std::unique_ptr<base::ByteSource> bytes, base::open_bytes(path));
  const ObjectInfo object{name, bytes->size()};
  RETURN_IF_ERROR(alone.add(name, path, std::move(bytes)));
  ASSIGN_OR_RETURN(const VolumeTail tail, read_volume_tail(alone, object, trust));
  FileFacts facts;
  ASSIGN_OR_RETURN(facts.header, read_unnamed_header(alone, name, tail, trust));
  facts.has_snapshot = tail.footer.has_snapshot();
  return facts;
}

// Its place in the archive a file says inside; its name says nothing.
base::Status OpenedFiles::add(const fs::path& path) {
  const auto facts = look_at(path, trust_);
  if (!facts) return base::Error(facts.error()).at("file", path.string());
  const VolumeHeader& header = facts->header;
  if (repository_.is_zero()) repository_ = header.repository;
  if (header.repository != repository_) {
    return broken("V10", "the files come from two repositories")
        .at("file", path.string())
        .at("repository", header.repository.hex())
        .next("give the files of one portable archive");
  }
  const std::string name = volume_name(header.archive, header.number);
  if (facts->has_snapshot) with_snapshot_.push_back(name);
  ASSIGN_OR_RETURN(std::unique_ptr<base::ByteSource> bytes, base::open_bytes(path));
  return files_.add(name, path, std::move(bytes));
}

base::Result<Volume> OpenedFiles::open(const std::string& name) const {
  ASSIGN_OR_RETURN(const ObjectInfo object, files_.examine(name));
  return open_volume(files_, object, repository_, trust_);
}

base::Status OpenedFiles::choose(const std::string& wanted) {
  std::vector<std::string> fitting;
  for (const std::string& name : with_snapshot_) {
    if (parse_volume_name(name)->archive.hex().starts_with(wanted)) {
      fitting.push_back(name);
    }
  }
  if (fitting.empty()) {
    base::Error error(base::ErrorCode::kNotFound,
                      wanted.empty() ? "no file holds a snapshot"
                                     : "no file holds the snapshot that is named");
    if (!wanted.empty()) error.at("snapshot", wanted);
    return std::move(error).next("give all files of the portable archive");
  }
  if (fitting.size() > 1) {
    base::Error error(base::ErrorCode::kUsage, "the files hold several snapshots");
    for (const std::string& name : fitting) {
      error.at("snapshot", parse_volume_name(name)->archive.hex());
    }
    return std::move(error).next("name one by its id, before --archive");
  }
  ASSIGN_OR_RETURN(last_, open(fitting.front()));
  ASSIGN_OR_RETURN(parsed_, open_manifest(last_, identity_));
  return base::Done{};
}

base::Status OpenedFiles::find_places() {
  ASSIGN_OR_RETURN(const std::vector<ObjectInfo> objects, files_.list(""));
  const FrameKeys keys({}, &identity_);
  for (const ObjectInfo& object : objects) {
    ASSIGN_OR_RETURN(const Volume volume, open(object.name));
    auto own = keys.archive_keys(volume);
    if (!own) return std::move(own).error().at("volume", object.name);
    ASSIGN_OR_RETURN(const std::vector<IndexEntry> entries,
                     open_index(volume, own->metadata, parsed_.id_key));
    places_.add(object.name, entries);
  }
  places_.sort();
  return base::Done{};
}

}  // namespace

base::Result<std::unique_ptr<PortableArchive>> PortableArchive::open(
    const std::vector<fs::path>& files, Trust trust, const std::string& snapshot,
    const keyvault::RecoveryKey& identity) {
  auto opened = std::make_unique<OpenedFiles>(std::move(trust), identity);
  for (const fs::path& path : files) RETURN_IF_ERROR(opened->add(path));
  RETURN_IF_ERROR(opened->choose(snapshot));
  RETURN_IF_ERROR(opened->find_places());
  return std::unique_ptr<PortableArchive>(std::move(opened));
}

}  // namespace sealift::archive
