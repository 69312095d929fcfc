#include "base/background.h"

#include <linux/ioprio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace sealift::base {

// Linux keeps both by thread; 0 is the calling one (setpriority(2), ioprio_set(2)).
void give_way_to_others() {
  constexpr int kNice = 10;
  errno = 0;
  const int nice = ::getpriority(PRIO_PROCESS, 0);
  if (errno == 0 && nice < kNice) {
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, kNice));
  }
  static_cast<void>(::syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                              IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)));
}

}  // namespace sealift::base
