#include "backup/vm_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "base/filesystem.h"

namespace sealift::backup {

base::Result<VmLock> lock_vm(const keyvault::KeyVault& vault, const base::Uuid& vm) {
  const std::filesystem::path folder = vault.folder() / "locks";
  RETURN_IF_ERROR(base::real_filesystem().create_directories(folder, 0700));
  const std::filesystem::path path = folder / vm.text();
  VmLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) {
    return base::system_error(errno, "cannot open a lock file")
        .at("file", path.string());
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) {
    return base::system_error(errno, "cannot lock a file").at("file", path.string());
  }
  return base::Error(base::ErrorCode::kBusy, "another run is backing up this VM")
      .next("wait for it to end, then run the backup again");
}

}  // namespace sealift::backup
