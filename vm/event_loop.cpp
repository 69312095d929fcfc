#include "vm/event_loop.h"

#include <libvirt/libvirt.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "vm/connection.h"

namespace sealift::vm {

namespace {

void wake(int /*timer*/, void* /*data*/) {}

class EventLoop {
 public:
  static base::Result<std::unique_ptr<EventLoop>> start() {
    std::unique_ptr<EventLoop> loop(new EventLoop);
    if (virEventRegisterDefaultImpl() == 0) {
      loop->waker_ = virEventAddTimeout(-1, wake, nullptr, nullptr);
    }
    if (loop->waker_ < 0) {
      return take_libvirt_error(base::ErrorCode::kHypervisor,
                                "cannot start libvirt's event loop");
    }
    loop->thread_ = std::jthread([raw = loop.get()] { raw->run(); });
    return loop;
  }

  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop() {
    is_ending_ = true;
    if (waker_ >= 0) virEventUpdateTimeout(waker_, 0);
  }

 private:
  EventLoop() = default;

  void run() {
    while (!is_ending_ && virEventRunDefaultImpl() == 0) {
    }
  }

  std::atomic<bool> is_ending_ = false;
  int waker_ = -1;
  std::jthread thread_;
};

}  // namespace

base::Status run_event_loop() {
  // A process has one event loop, by libvirt's design; so has this file.
  static std::mutex mutex;
  static std::unique_ptr<EventLoop> running;
  const std::scoped_lock lock(mutex);
  if (!running) {
    ASSIGN_OR_RETURN(running, EventLoop::start());
  }
  return base::Done{};
}

}  // namespace sealift::vm
