#include "base/background.h"

#include <linux/ioprio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "tests/support/catch.h"

namespace sealift::base {
namespace {

int nice_of_this_thread() { return ::getpriority(PRIO_PROCESS, 0); }

long disk_class_of_this_thread() {
  return IOPRIO_PRIO_CLASS(::syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0));
}

}  // namespace

TEST_CASE("a thread that gives way does so alone", "[base]") {
  const int nice_before = nice_of_this_thread();
  const long class_before = disk_class_of_this_thread();
  std::thread([] {
    give_way_to_others();
    CHECK(nice_of_this_thread() >= 10);
    CHECK(disk_class_of_this_thread() == IOPRIO_CLASS_IDLE);
  }).join();
  CHECK(nice_of_this_thread() == nice_before);
  CHECK(disk_class_of_this_thread() == class_before);
}

TEST_CASE("a thread that gives way more already is not moved ahead", "[base]") {
  std::thread([] {
    REQUIRE(::setpriority(PRIO_PROCESS, 0, 19) == 0);
    give_way_to_others();
    CHECK(nice_of_this_thread() == 19);
  }).join();
}

}  // namespace sealift::base
