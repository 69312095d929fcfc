#include <string>

#include "base/subprocess.h"
#include "vm/data_runs.h"
#include "vm/disk_target.h"
#include "vm/image_server.h"
#include "vm/new_image_file.h"

namespace sealift::vm {

namespace {

constexpr auto kCreateLimit = std::chrono::seconds(60);

class Qcow2DiskTarget final : public DiskTarget {
 public:
  Qcow2DiskTarget(NewImageFile file, std::unique_ptr<ImageServer> server,
                  std::uint64_t size)
      : file_(std::move(file)), server_(std::move(server)), size_(size) {}

  base::Status write(std::uint64_t offset, base::ByteView bytes) override {
    if (offset > size_ || bytes.size() > size_ - offset) {
      return base::Error(base::ErrorCode::kCorrupt, "data beyond the end of the disk")
          .at("offset", std::to_string(offset))
          .at("file", file_.path().string());
    }
    return for_each_data_run(offset, bytes,
                             [this](std::uint64_t at, base::ByteView data) {
                               return server_->write(at, data);
                             });
  }

  base::Status finish() override {
    RETURN_IF_ERROR(server_->finish());
    return file_.keep();
  }

 private:
  // The server dies before its file is removed.
  NewImageFile file_;
  std::unique_ptr<ImageServer> server_;
  std::uint64_t size_;
};

base::Status format_as_qcow2(const std::filesystem::path& path, std::uint64_t size) {
  ASSIGN_OR_RETURN(const base::ProgramOutput made,
                   base::run_program({"qemu-img", "create", "-q", "-f", "qcow2",
                                      path.string(), std::to_string(size)},
                                     kCreateLimit));
  if (made.exit_status == 0) return base::Done{};
  return base::Error(base::ErrorCode::kIo, "cannot create a qcow2 image")
      .at("file", path.string())
      .because(made.error_output);
}

}  // namespace

base::Result<std::unique_ptr<DiskTarget>> create_qcow2_disk(
    const std::filesystem::path& path, std::uint64_t size) {
  // The name is taken first: qemu-img would overwrite a file that is there.
  ASSIGN_OR_RETURN(NewImageFile file, NewImageFile::claim(path));
  RETURN_IF_ERROR(format_as_qcow2(path, size));
  if (!file.is_still_there()) {
    return base::Error(base::ErrorCode::kIo,
                       "the disk image was replaced while it was made")
        .at("file", path.string());
  }
  ASSIGN_OR_RETURN(std::unique_ptr<ImageServer> server,
                   ImageServer::serve(path, "qcow2"));
  return std::unique_ptr<DiskTarget>(
      new Qcow2DiskTarget(std::move(file), std::move(server), size));
}

}  // namespace sealift::vm
