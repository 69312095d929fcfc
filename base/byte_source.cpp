#include "base/byte_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/filesystem.h"

namespace sealift::base {

namespace {

class OpenFile final : public ByteSource {
 public:
  OpenFile(FileDescriptor descriptor, std::filesystem::path path, std::uint64_t size)
      : descriptor_(std::move(descriptor)), path_(std::move(path)), size_(size) {}

  std::uint64_t size() const override { return size_; }

 private:
  Status fill(std::uint64_t offset, std::span<std::byte> bytes) const override {
    while (!bytes.empty()) {
      const ssize_t count = ::pread(descriptor_.get(), bytes.data(), bytes.size(),
                                    static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        return system_error(errno, "cannot read a file").at("file", path_.string());
      }
      if (count == 0) {
        return Error(ErrorCode::kIo, "the file became shorter while it was read")
            .at("file", path_.string());
      }
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return Done{};
  }

  FileDescriptor descriptor_;
  std::filesystem::path path_;
  std::uint64_t size_;
};

class Memory final : public ByteSource {
 public:
  explicit Memory(ByteView bytes) : bytes_(bytes) {}

  std::uint64_t size() const override { return bytes_.size(); }

 private:
  Status fill(std::uint64_t offset, std::span<std::byte> bytes) const override {
    std::ranges::copy(bytes_.subspan(offset, bytes.size()), bytes.begin());
    return Done{};
  }

  ByteView bytes_;
};

}  // namespace

Status ByteSource::read(std::uint64_t offset, std::span<std::byte> bytes) const {
  if (!holds(offset, bytes.size())) {
    return Error(ErrorCode::kCorrupt, "the file ends early")
        .at("offset", std::to_string(offset));
  }
  return fill(offset, bytes);
}

Result<Bytes> ByteSource::read(std::uint64_t offset, std::size_t count) const {
  Bytes bytes(count);
  RETURN_IF_ERROR(read(offset, std::span(bytes)));
  return bytes;
}

Result<std::unique_ptr<ByteSource>> open_bytes(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(FileDescriptor file, open_regular_file(path));
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) {
    return system_error(errno, "cannot examine a file").at("file", path.string());
  }
  return std::unique_ptr<ByteSource>(std::make_unique<OpenFile>(
      std::move(file), path, static_cast<std::uint64_t>(found.st_size)));
}

std::unique_ptr<ByteSource> bytes_in_memory(ByteView bytes) {
  return std::make_unique<Memory>(bytes);
}

}  // namespace sealift::base
