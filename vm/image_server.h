// qemu-nbd serving one image file to this process alone.
#pragma once

#include <libnbd.h>
#include <sys/types.h>

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/handle.h"
#include "base/result.h"

namespace sealift::vm {

using NbdConnection = base::Handle<nbd_handle, nbd_close>;

/// A qemu-nbd process and a few connections to it, over a socket in a folder of its own
/// that only this user can enter.
/// Invariants  The process ends when its last connection closes, so also when we die.
/// Threads     write() from several at once; the rest from one.
class ImageServer {
 public:
  /// Serves `image`, an existing file of `format`, stated and not probed.
  /// errors  kNotFound: qemu-nbd is not installed.  kIo: it refused; its words.
  static base::Result<std::unique_ptr<ImageServer>> serve(
      const std::filesystem::path& image, const std::string& format);

  ImageServer(const ImageServer&) = delete;
  ImageServer& operator=(const ImageServer&) = delete;
  ~ImageServer();

  base::Status write(std::uint64_t offset, base::ByteView bytes);

  /// Flushes, disconnects, and waits until the process has closed the image.
  /// errors  kIo: the image is not whole.
  base::Status finish();

 private:
  ImageServer() = default;
  base::Status start(const std::filesystem::path& image, const std::string& format);
  base::Status connect_all();
  base::Result<NbdConnection> connect_first();
  base::Error refused(std::string what) const;
  enum class Wait { kLook, kUntilItEnds };
  bool has_ended(Wait wait);

  std::filesystem::path folder_;
  std::string image_;  // What messages call it.
  pid_t process_ = -1;
  int exit_status_ = 0;
  std::mutex mutex_;
  std::condition_variable is_free_;
  std::vector<NbdConnection> free_;  // Guarded by mutex_; a writer takes one out.
};

}  // namespace sealift::vm
