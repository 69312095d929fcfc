#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/aligned_buffer.h"
#include "vm/data_runs.h"
#include "vm/disk_target.h"
#include "vm/new_image_file.h"

namespace sealift::vm {

namespace {

class RawDiskTarget final : public DiskTarget {
 public:
  RawDiskTarget(NewImageFile file, base::FileDescriptor direct, std::uint64_t size)
      : file_(std::move(file)), direct_(std::move(direct)), size_(size) {}

  base::Status write(std::uint64_t offset, base::ByteView bytes) override {
    if (offset > size_ || bytes.size() > size_ - offset) {
      return base::Error(base::ErrorCode::kCorrupt, "data beyond the end of the disk")
          .at("offset", std::to_string(offset))
          .at("file", file_.path().string());
    }
    return for_each_data_run(
        offset, bytes,
        [this](std::uint64_t at, base::ByteView data) { return write_data(at, data); });
  }

  base::Status finish() override { return file_.keep(); }

 private:
  // Past the page cache where alignment allows: filling it costs more than hashing the
  // data does.
  base::Status write_data(std::uint64_t offset, base::ByteView bytes) {
    const bool is_direct = direct_ && base::can_be_direct(offset, bytes);
    return write_all(is_direct ? direct_.get() : file_.descriptor(), offset, bytes);
  }

  base::Status write_all(int descriptor, std::uint64_t offset, base::ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t written =
          ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        return base::system_error(errno, "cannot write to the disk image")
            .at("offset", std::to_string(offset))
            .at("file", file_.path().string());
      }
      offset += static_cast<std::uint64_t>(written);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return base::Done{};
  }

  NewImageFile file_;
  base::FileDescriptor direct_;  // Empty where the file system has no O_DIRECT.
  std::uint64_t size_;
};

}  // namespace

base::Result<std::unique_ptr<DiskTarget>> create_raw_disk(
    const std::filesystem::path& path, std::uint64_t size) {
  ASSIGN_OR_RETURN(NewImageFile file, NewImageFile::claim(path));
  if (::ftruncate(file.descriptor(), static_cast<off_t>(size)) != 0) {
    return base::system_error(errno, "cannot give a disk image its size")
        .at("file", path.string());
  }
  // Through /proc rather than by name: the name may lead elsewhere by now.
  const std::string opened = "/proc/self/fd/" + std::to_string(file.descriptor());
  base::FileDescriptor direct(::open(opened.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
  return std::unique_ptr<DiskTarget>(
      new RawDiskTarget(std::move(file), std::move(direct), size));
}

}  // namespace sealift::vm
