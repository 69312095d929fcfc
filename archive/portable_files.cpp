#include "archive/portable_files.h"

namespace sealift::archive {

base::Status PortableFiles::add(const std::string& name,
                                const std::filesystem::path& path,
                                std::unique_ptr<base::ByteSource> bytes) {
  const auto [place, is_new] = files_.try_emplace(name, File{path, nullptr});
  if (!is_new) {
    return base::Error(base::ErrorCode::kUsage, "two files hold the same volume")
        .at("file", path.string())
        .at("file", place->second.path.string())
        .next("give each file of the archive once");
  }
  place->second.bytes = std::move(bytes);
  return base::Done{};
}

base::Result<const PortableFiles::File*> PortableFiles::find(
    std::string_view name) const {
  const auto found = files_.find(name);
  if (found != files_.end()) return &found->second;
  return base::Error(base::ErrorCode::kNotFound, "no file holds this volume")
      .at("volume", name)
      .next("give all files of the portable archive");
}

base::Result<std::vector<ObjectInfo>> PortableFiles::list(
    std::string_view prefix) const {
  std::vector<ObjectInfo> objects;
  for (const auto& [name, file] : files_) {
    if (name.starts_with(prefix)) objects.push_back({name, file.bytes->size()});
  }
  return objects;
}

base::Result<ObjectInfo> PortableFiles::examine(std::string_view name) const {
  ASSIGN_OR_RETURN(const File* const file, find(name));
  return ObjectInfo{std::string(name), file->bytes->size()};
}

base::Status PortableFiles::read(std::string_view name, std::uint64_t offset,
                                 std::span<std::byte> bytes) const {
  ASSIGN_OR_RETURN(const File* const file, find(name));
  auto read = file->bytes->read(offset, bytes);
  if (!read) return std::move(read).error().at("file", file->path.string());
  return read;
}

}  // namespace sealift::archive
