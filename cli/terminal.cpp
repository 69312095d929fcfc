#include "cli/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "base/file_descriptor.h"

namespace sealift::cli {

namespace {

constexpr std::size_t kAnswerLimit = 4096;
constexpr int kLookAtStopEvery = 100;  // Milliseconds.

/// Typed characters are not shown while it lives.
class EchoOff {
 public:
  explicit EchoOff(int terminal) : terminal_(terminal) {
    is_changed_ = ::tcgetattr(terminal_, &before_) == 0;
    if (!is_changed_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL;
    // What was typed before the question is no answer to it.
    is_changed_ = ::tcsetattr(terminal_, TCSAFLUSH, &silent) == 0;
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;
  ~EchoOff() {
    if (is_changed_) static_cast<void>(::tcsetattr(terminal_, TCSAFLUSH, &before_));
  }

  bool is_off() const noexcept { return is_changed_; }

 private:
  int terminal_;
  termios before_{};
  bool is_changed_ = false;
};

class ControllingTerminal final : public Terminal {
 public:
  ControllingTerminal(base::FileDescriptor descriptor, std::stop_token stop)
      : descriptor_(std::move(descriptor)), stop_(std::move(stop)) {}

  base::Result<std::string> ask(const std::string& question) override {
    ASSIGN_OR_RETURN(const keyvault::Secret answer, read_answer(question));
    return std::string(base::as_text(answer.view()));
  }

  base::Result<keyvault::Secret> ask_secret(const std::string& question) override {
    const EchoOff echo_off(descriptor_.get());
    if (!echo_off.is_off()) {
      return base::Error(base::ErrorCode::kWrongKey,
                         "the terminal cannot hide what is typed")
          .next("name a file with --passphrase-file");
    }
    return read_answer(question);
  }

 private:
  // The canonical mode of terminals gives whole lines; their end is cut off.
  base::Result<keyvault::Secret> read_answer(const std::string& question) {
    RETURN_IF_ERROR(write(question));
    ASSIGN_OR_RETURN(keyvault::Secret answer, keyvault::Secret::allocate(kAnswerLimit));
    RETURN_IF_ERROR(wait());
    const std::span<std::byte> room = answer.writable();
    const ssize_t count = ::read(descriptor_.get(), room.data(), room.size());
    if (count < 0) return base::system_error(errno, "cannot read from the terminal");
    auto size = static_cast<std::size_t>(count);
    if (size > 0 && room[size - 1] == std::byte{'\n'}) --size;
    answer.shrink(size);
    return answer;
  }

  base::Status write(const std::string& words) const {
    if (::write(descriptor_.get(), words.data(), words.size()) < 0) {
      return base::system_error(errno, "cannot write to the terminal");
    }
    return base::Done{};
  }

  base::Status wait() const {
    while (!stop_.stop_requested()) {
      pollfd waited{descriptor_.get(), POLLIN, 0};
      const int ready = ::poll(&waited, 1, kLookAtStopEvery);
      if (ready > 0) return base::Done{};
      if (ready < 0 && errno != EINTR) {
        return base::system_error(errno, "cannot wait for the terminal");
      }
    }
    static_cast<void>(write("\n"));
    return base::Error(base::ErrorCode::kInterrupted, "interrupted; nothing was done");
  }

  base::FileDescriptor descriptor_;
  std::stop_token stop_;
};

}  // namespace

std::unique_ptr<Terminal> open_terminal(std::stop_token stop) {
  if (::isatty(STDIN_FILENO) == 0) return nullptr;
  base::FileDescriptor descriptor(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!descriptor) return nullptr;
  return std::make_unique<ControllingTerminal>(std::move(descriptor), std::move(stop));
}

}  // namespace sealift::cli
