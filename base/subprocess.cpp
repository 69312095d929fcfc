#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "base/file_descriptor.h"

namespace sealift::base {

namespace {

constexpr std::size_t kOutputLimit = std::size_t{4} * 1024 * 1024;
constexpr std::size_t kErrorOutputLimit = std::size_t{64} * 1024;

struct Pipe {
  FileDescriptor read_end;
  FileDescriptor write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return system_error(errno, "cannot make a pipe");
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

std::vector<std::string> english_environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("LC_ALL="))
      variables.emplace_back(*variable);
  }
  variables.emplace_back("LC_ALL=C");
  return variables;
}

std::vector<char*> as_pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Reads what is there; false at the end. What is over `limit` is dropped.
bool drain(int descriptor, std::string& text, std::size_t limit) {
  std::array<char, std::size_t{16} * 1024> buffer{};
  const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  if (count == 0) return false;
  text.append(buffer.data(),
              std::min(static_cast<std::size_t>(count), limit - text.size()));
  return true;
}

}  // namespace

Result<ProgramOutput> run_program(const std::vector<std::string>& arguments,
                                  std::chrono::seconds limit) {
  ASSIGN_OR_RETURN(Pipe output, make_pipe());
  ASSIGN_OR_RETURN(Pipe error_output, make_pipe());

  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output.write_end.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error_output.write_end.get(),
                                   STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  std::vector<std::string> words = arguments;
  std::vector<std::string> variables = english_environment();
  pid_t child = 0;
  const int reason =
      ::posix_spawnp(&child, words.front().c_str(), &actions, nullptr,
                     as_pointers(words).data(), as_pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (reason == ENOENT) {
    return Error(ErrorCode::kNotFound, "a program is not installed")
        .at("program", words.front());
  }
  if (reason != 0) {
    return system_error(reason, "cannot start a program").at("program", words.front());
  }
  output.write_end = FileDescriptor();
  error_output.write_end = FileDescriptor();

  // Readable once the program has ended: it may close its output and run on.
  // glibc 2.36's pidfd_open() has no C linkage in its header, hence syscall().
  const FileDescriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));

  ProgramOutput result;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  bool is_output_open = true;
  bool is_error_open = true;
  bool is_running = static_cast<bool>(ended);
  while (is_output_open || is_error_open || is_running) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    std::array<pollfd, 3> waits{
        pollfd{is_output_open ? output.read_end.get() : -1, POLLIN, 0},
        pollfd{is_error_open ? error_output.read_end.get() : -1, POLLIN, 0},
        pollfd{is_running ? ended.get() : -1, POLLIN, 0}};
    const int ready = left.count() <= 0 ? 0
                                        : ::poll(waits.data(), waits.size(),
                                                 static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
      return Error(ErrorCode::kIo, "a program ran longer than " +
                                       std::to_string(limit.count()) +
                                       " s and was stopped")
          .at("program", words.front());
    }
    if (waits[0].revents != 0) {
      is_output_open = drain(output.read_end.get(), result.output, kOutputLimit);
    }
    if (waits[1].revents != 0) {
      is_error_open =
          drain(error_output.read_end.get(), result.error_output, kErrorOutputLimit);
    }
    if (waits[2].revents != 0) is_running = false;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return system_error(errno, "cannot wait for a program");
  }
  result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace sealift::base
