#include "cli/interruption.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

namespace sealift::cli {

namespace {

constexpr int kSignalStatus = 128;

// A signal handler reaches nothing but globals.
std::atomic<int> received_signal = 0;
std::atomic<int> wake_descriptor = -1;
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void note_signal(int number) {
  const int saved = errno;
  received_signal = number;
  const char byte = 's';
  // If the pipe is full the thread has been woken already.
  [[maybe_unused]] const ssize_t written = ::write(wake_descriptor, &byte, 1);
  static_cast<void>(std::signal(SIGINT, SIG_DFL));
  static_cast<void>(std::signal(SIGTERM, SIG_DFL));
  errno = saved;
}

base::Status handle(int number) {
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  if (::sigaction(number, &action, nullptr) == 0) return base::Done{};
  return base::system_error(errno, "cannot handle signals");
}

}  // namespace

base::Result<Interruption> Interruption::install() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return base::system_error(errno, "cannot make a pipe");
  }
  Interruption made{base::FileDescriptor(ends[0]), base::FileDescriptor(ends[1])};
  RETURN_IF_ERROR(handle(SIGINT));
  RETURN_IF_ERROR(handle(SIGTERM));
  // A terminal that goes away must not leave half a restore behind.
  RETURN_IF_ERROR(handle(SIGHUP));
  return made;
}

Interruption::Interruption(base::FileDescriptor reading, base::FileDescriptor writing)
    : writing_(std::move(writing)),
      waiting_([source = source_, pipe = std::move(reading)]() mutable {
        char byte = 0;
        ssize_t count = -1;
        do {
          count = ::read(pipe.get(), &byte, 1);
        } while (count < 0 && errno == EINTR);
        if (count == 1) source.request_stop();
      }) {
  wake_descriptor = writing_.get();
}

// Closing the writing end ends the thread; the handlers are put back before.
Interruption::~Interruption() {
  if (!writing_) return;
  static_cast<void>(std::signal(SIGINT, SIG_DFL));
  static_cast<void>(std::signal(SIGTERM, SIG_DFL));
  wake_descriptor = -1;
  writing_ = base::FileDescriptor();
}

int Interruption::exit_status(int status) {
  const bool is_interrupted = status == static_cast<int>(base::ErrorCode::kInterrupted);
  return is_interrupted && received_signal != SIGINT ? kSignalStatus + SIGTERM : status;
}

}  // namespace sealift::cli
