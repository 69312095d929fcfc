#include "vm/domain_folder.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <system_error>
#include <thread>

namespace sealift::vm {

namespace {

constexpr const char* kFolders = "/var/lib/libvirt/qemu";
constexpr auto kPoll = std::chrono::milliseconds(100);

}  // namespace

base::Result<std::vector<std::filesystem::path>> list_files(
    const std::filesystem::path& folder, const std::string& prefix) {
  std::error_code failure;
  std::vector<std::filesystem::path> found;
  std::filesystem::directory_iterator entries(folder, failure);
  for (; !failure && entries != std::filesystem::directory_iterator();
       entries.increment(failure)) {
    if (entries->path().filename().string().starts_with(prefix)) {
      found.push_back(entries->path());
    }
  }
  if (failure) {
    return base::system_error(failure.value(), "cannot read a folder")
        .at("folder", folder.string());
  }
  return found;
}

base::Result<std::filesystem::path> find_domain_folder(const Domain& domain) {
  const unsigned id = virDomainGetID(domain.get());
  if (id == static_cast<unsigned>(-1)) {
    return base::Error(base::ErrorCode::kHypervisor, "the VM is not running");
  }
  const std::string prefix = "domain-" + std::to_string(id) + "-";
  ASSIGN_OR_RETURN(const auto found, list_files(kFolders, prefix));
  if (found.size() == 1) return found.front();
  return base::Error(base::ErrorCode::kIo, "cannot find the VM's folder")
      .at("folder", std::string(kFolders) + "/" + prefix + "*");
}

base::Result<base::FileDescriptor> lock_domain_folder(
    const std::filesystem::path& folder, std::chrono::milliseconds patience) {
  base::FileDescriptor descriptor(
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!descriptor) {
    return base::system_error(errno, "cannot open the VM's folder")
        .at("folder", folder.string());
  }
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return base::system_error(errno, "cannot lock the VM's folder")
          .at("folder", folder.string());
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return base::Error(base::ErrorCode::kBusy,
                         "another run of sealift is working on the VM")
          .next("wait until it ends, then run this again");
    }
    std::this_thread::sleep_for(kPoll);
  }
  return descriptor;
}

}  // namespace sealift::vm
