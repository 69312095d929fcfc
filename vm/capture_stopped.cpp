// A VM that is off, read from its files.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file_descriptor.h"
#include "vm/capture.h"
#include "vm/captured_files.h"
#include "vm/image_file_source.h"

namespace sealift::vm {

namespace {

// Changes when a file is written to, replaced or cut.
struct FileMark {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  friend bool operator==(const FileMark&, const FileMark&) = default;
};

base::Result<FileMark> mark_of(const std::filesystem::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    return base::system_error(errno, "cannot examine a file").at("file", path.string());
  }
  return FileMark{found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec,
                  found.st_mtim.tv_nsec};
}

class SavedMemory final : public LargeFile {
 public:
  static base::Result<std::unique_ptr<LargeFile>> open(
      const std::filesystem::path& path) {
    auto file = std::make_unique<SavedMemory>();
    file->descriptor_ =
        base::FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat found {};
    if (!file->descriptor_ || ::fstat(file->descriptor_.get(), &found) != 0) {
      return base::system_error(errno, "cannot open the managed-save image")
          .at("file", path.string())
          .at("component", "runtime-state");
    }
    file->path_ = path;
    file->name_ = component_name(path);
    file->size_ = static_cast<std::uint64_t>(found.st_size);
    return std::unique_ptr<LargeFile>(std::move(file));
  }

  const std::string& kind() const override { return kind_; }
  const std::string& name() const override { return name_; }
  const std::filesystem::path& path() const override { return path_; }
  std::uint64_t size() const override { return size_; }

  base::Status read(std::uint64_t offset, std::span<std::byte> bytes) const override {
    while (!bytes.empty()) {
      const ssize_t count = ::pread(descriptor_.get(), bytes.data(), bytes.size(),
                                    static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        return base::system_error(errno, "cannot read the managed-save image")
            .at("file", path_.string());
      }
      if (count == 0) {
        return base::Error(base::ErrorCode::kIo,
                           "the managed-save image became shorter")
            .at("file", path_.string());
      }
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return base::Done{};
  }

 private:
  base::FileDescriptor descriptor_;
  std::string kind_ = "runtime-state";
  std::string name_;
  std::filesystem::path path_;
  std::uint64_t size_ = 0;
};

class StoppedCapture final : public Capture {
 public:
  StoppedCapture(const Connection& connection, const Domain& domain)
      : connection_(connection) {
    virDomainRef(domain.get());
    domain_.reset(domain.get());
  }

  base::Status take(const VmDescription& vm, Missing missing) {
    vm_name_ = vm.name;
    RETURN_IF_ERROR(refuse_if_started());
    RETURN_IF_ERROR(mark_files(vm));
    instant_ = base::SystemClock().now();
    ASSIGN_OR_RETURN(files_, read_definitions(domain_));
    ASSIGN_OR_RETURN(StateFiles state, read_state_files(vm, missing));
    missing_ = std::move(state.missing);
    for (CapturedFile& file : state.files) {
      RETURN_IF_ERROR(mark(file.path));
      files_.push_back(std::move(file));
    }
    if (vm.managed_save) {
      ASSIGN_OR_RETURN(std::unique_ptr<LargeFile> saved,
                       SavedMemory::open(*vm.managed_save));
      large_files_.push_back(std::move(saved));
    }
    for (const Disk& disk : vm.disks) {
      ASSIGN_OR_RETURN(auto source, open_image_files(connection_, disk));
      disks_.push_back(std::move(source));
      facts_["disk_" + disk.target] = disk.rbd ? "RBD image" : "image files";
    }
    facts_["method"] = vm.managed_save ? "off, with its memory saved" : "off";
    return refuse_if_started();
  }

  base::Timestamp instant() const override { return instant_; }
  std::chrono::milliseconds pause() const override {
    return std::chrono::milliseconds(0);
  }
  const std::vector<CapturedFile>& files() const override { return files_; }
  const std::vector<MissingPart>& missing() const override { return missing_; }
  const std::vector<std::unique_ptr<LargeFile>>& large_files() const override {
    return large_files_;
  }
  const std::vector<std::unique_ptr<DiskSource>>& disks() const override {
    return disks_;
  }
  const std::map<std::string, std::string>& facts() const override { return facts_; }

  bool has_checkpoint() const override { return false; }

  base::Status finish() override {
    disks_.clear();
    large_files_.clear();
    RETURN_IF_ERROR(refuse_if_started());
    for (const auto& [path, before] : marks_) {
      auto now = mark_of(path);
      if (now && now.value() == before) continue;
      return base::Error(base::ErrorCode::kBusy,
                         "a file of the VM was written to while it was read")
          .at("file", path.string())
          .at("vm", vm_name_)
          .next("run the backup again; was the VM started, here or on another host?");
    }
    return base::Done{};
  }

 private:
  base::Status refuse_if_started() const {
    const int is_active = virDomainIsActive(domain_.get());
    if (is_active == 0) return base::Done{};
    if (is_active < 0) {
      return take_libvirt_error(base::ErrorCode::kHypervisor,
                                "cannot ask whether the VM is off")
          .at("vm", vm_name_);
    }
    return base::Error(base::ErrorCode::kBusy, "the VM was started while it was read")
        .at("vm", vm_name_)
        .next("run the backup again: it is then backed up while it runs");
  }

  base::Status mark(const std::filesystem::path& path) {
    ASSIGN_OR_RETURN(const FileMark found, mark_of(path));
    marks_.emplace_back(path, found);
    return base::Done{};
  }

  base::Status mark_files(const VmDescription& vm) {
    for (const Disk& disk : vm.disks) {
      if (disk.rbd) continue;  // Only libvirt can tell then that the VM was started.
      RETURN_IF_ERROR(mark(disk.path));
      for (const BackingFile& image : disk.backing) RETURN_IF_ERROR(mark(image.path));
    }
    if (vm.managed_save) RETURN_IF_ERROR(mark(*vm.managed_save));
    return base::Done{};
  }

  const Connection& connection_;
  Domain domain_;
  std::string vm_name_;
  base::Timestamp instant_;
  std::vector<std::pair<std::filesystem::path, FileMark>> marks_;
  std::vector<CapturedFile> files_;
  std::vector<MissingPart> missing_;
  std::vector<std::unique_ptr<LargeFile>> large_files_;
  std::map<std::string, std::string> facts_;
  std::vector<std::unique_ptr<DiskSource>> disks_;
};

}  // namespace

base::Result<std::unique_ptr<Capture>> capture_stopped(const Connection& connection,
                                                       const Domain& domain,
                                                       const VmDescription& description,
                                                       const CaptureOptions& options) {
  auto capture = std::make_unique<StoppedCapture>(connection, domain);
  if (auto status = capture->take(description, options.missing); !status) {
    return std::move(status).error().at("vm", description.name);
  }
  return std::unique_ptr<Capture>(std::move(capture));
}

}  // namespace sealift::vm
