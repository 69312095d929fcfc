// Files as the volumes that their headers say they are.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "archive/object_store.h"
#include "base/byte_source.h"

namespace sealift::archive {

/// Threads: const members from several.
class PortableFiles final : public ObjectReader {
 public:
  /// An object of that name. errors  kUsage: there is one already.
  base::Status add(const std::string& name, const std::filesystem::path& path,
                   std::unique_ptr<base::ByteSource> bytes);

  std::string place() const override { return "the files given"; }
  base::Result<std::vector<ObjectInfo>> list(std::string_view prefix) const override;
  base::Result<ObjectInfo> examine(std::string_view name) const override;
  base::Status read(std::string_view name, std::uint64_t offset,
                    std::span<std::byte> bytes) const override;

 private:
  struct File {
    std::filesystem::path path;
    std::unique_ptr<base::ByteSource> bytes;
  };
  base::Result<const File*> find(std::string_view name) const;

  std::map<std::string, File, std::less<>> files_;
};

}  // namespace sealift::archive
