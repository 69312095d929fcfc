#include "cli/standard_descriptors.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "base/file_descriptor.h"

namespace sealift::cli {

base::Status open_standard_descriptors() {
  // The lowest free number is what is given: /dev/null until that is none of the three.
  for (;;) {
    base::FileDescriptor opened(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!opened) return base::system_error(errno, "cannot open /dev/null");
    if (opened.get() > STDERR_FILENO) return base::Done{};
    // Programs that are started inherit it, as they would a terminal.
    static_cast<void>(::fcntl(opened.release(), F_SETFD, 0));
  }
}

bool is_reader_gone(int descriptor) {
  pollfd polled{descriptor, POLLOUT, 0};
  return ::poll(&polled, 1, 0) == 1 && (polled.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace sealift::cli
