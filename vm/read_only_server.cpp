#include "vm/read_only_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/strict_json.h"
#include "vm/nbd_reader.h"

namespace sealift::vm {

namespace {

constexpr int kFirstPassedSocket = 3;  // sd_listen_fds(3): descriptors begin here.

// One layer of the chain as QEMU's block layer wants it; `backing` is what lies below.
base::Json layer(const std::filesystem::path& path, const std::string& format,
                 base::Json backing) {
  std::error_code ignored;
  const bool is_device = std::filesystem::is_block_file(path, ignored);
  base::Json node = {{"driver", format},
                     {"read-only", true},
                     {"force-share", true},
                     {"file",
                      {{"driver", is_device ? "host_device" : "file"},
                       {"filename", path.string()},
                       {"read-only", true},
                       {"force-share", true}}}};
  if (format == "qcow2") node["backing"] = std::move(backing);
  return node;
}

std::string image_option(const Disk& disk) {
  base::Json below = nullptr;
  for (auto image = disk.backing.rbegin(); image != disk.backing.rend(); ++image) {
    below = layer(image->path, image->format, std::move(below));
  }
  return "json:" + layer(disk.path, disk.format, std::move(below)).dump();
}

struct Listener {
  base::FileDescriptor socket;
  std::vector<base::FileDescriptor> clients;
};

// Connects before anyone listens to what comes: the kernel queues the connections, and
// the name can go before the server starts.
base::Result<Listener> listen_for(unsigned connections) {
  std::string folder = "/tmp/sealift-read-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    return base::system_error(errno, "cannot make a folder for a socket")
        .at("folder", "/tmp");
  }
  const std::string path = folder + "/s";
  Listener listener;
  listener.socket =
      base::FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  base::Status status = base::Done{};
  if (!listener.socket ||
      ::bind(listener.socket.get(), reinterpret_cast<const sockaddr*>(&address),
             sizeof address) != 0 ||
      ::listen(listener.socket.get(), static_cast<int>(connections)) != 0) {
    status = base::system_error(errno, "cannot listen on a socket").at("socket", path);
  }
  for (unsigned i = 0; status && i < connections; ++i) {
    auto client = make_socket();
    status = client ? connect_to_socket(client.value(), path)
                    : base::Status(std::move(client).error());
    if (status) listener.clients.push_back(std::move(client).value());
  }
  static_cast<void>(::unlink(path.c_str()));
  static_cast<void>(::rmdir(folder.c_str()));
  if (!status) return std::move(status).error();
  return listener;
}

// What the child needs, made before fork(): after it only system calls are safe.
struct ChildPlan {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  char* pid_digits = nullptr;
  int socket = -1;
  int log = -1;
};

[[noreturn]] void become_server(const ChildPlan& plan) {
  static_cast<void>(::setpgid(0, 0));  // Ctrl-C is for us, not for it.
  std::array<char, 16> digits{};
  std::size_t count = 0;
  for (pid_t rest = ::getpid(); rest > 0; rest /= 10) {
    digits[count++] = static_cast<char>('0' + rest % 10);
  }
  for (std::size_t i = 0; i < count; ++i) plan.pid_digits[i] = digits[count - 1 - i];
  plan.pid_digits[count] = '\0';
  sigset_t none{};
  sigemptyset(&none);
  static_cast<void>(::sigprocmask(SIG_SETMASK, &none, nullptr));
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const int log = ::fcntl(plan.log, F_DUPFD, kFirstPassedSocket + 1);
  const int socket = ::fcntl(plan.socket, F_DUPFD, kFirstPassedSocket + 1);
  static_cast<void>(::dup2(nothing, STDIN_FILENO));
  static_cast<void>(::dup2(nothing, STDOUT_FILENO));
  static_cast<void>(::dup2(log, STDERR_FILENO));
  static_cast<void>(::dup2(socket, kFirstPassedSocket));
  static_cast<void>(::close_range(kFirstPassedSocket + 1, ~0U, 0));
  ::execvpe(plan.arguments.front(), plan.arguments.data(), plan.environment.data());
  const std::string_view words = "qemu-nbd cannot be started; is qemu-utils installed?";
  static_cast<void>(!::write(STDERR_FILENO, words.data(), words.size()));
  ::_exit(127);
}

}  // namespace

base::Result<ReadOnlyServer> ReadOnlyServer::start(const Disk& disk,
                                                   unsigned connections) {
  ASSIGN_OR_RETURN(Listener listener, listen_for(connections));
  ReadOnlyServer server;
  server.sockets_ = std::move(listener.clients);
  server.log_ = base::FileDescriptor(::memfd_create("qemu-nbd", MFD_CLOEXEC));
  if (!server.log_) return base::system_error(errno, "cannot make a file in memory");

  std::vector<std::string> words{"qemu-nbd", "--read-only", "--aio=threads",
                                 "--shared=" + std::to_string(connections),
                                 image_option(disk)};
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!text.starts_with("LISTEN_") && !text.starts_with("LC_ALL=")) {
      variables.emplace_back(text);
    }
  }
  variables.emplace_back("LC_ALL=C");
  variables.emplace_back("LISTEN_FDS=1");
  constexpr std::string_view kPidVariable = "LISTEN_PID=";
  variables.push_back(std::string(kPidVariable) + "0000000000000000");

  ChildPlan plan;
  for (std::string& word : words) plan.arguments.push_back(word.data());
  plan.arguments.push_back(nullptr);
  for (std::string& variable : variables) plan.environment.push_back(variable.data());
  plan.environment.push_back(nullptr);
  plan.pid_digits = variables.back().data() + kPidVariable.size();
  plan.socket = listener.socket.get();
  plan.log = server.log_.get();

  const pid_t child = ::fork();
  if (child < 0) return base::system_error(errno, "cannot start qemu-nbd");
  if (child == 0) become_server(plan);
  server.process_ = child;
  return server;
}

ReadOnlyServer::ReadOnlyServer(ReadOnlyServer&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      log_(std::move(other.log_)),
      sockets_(std::move(other.sockets_)) {}

ReadOnlyServer::~ReadOnlyServer() {
  if (process_ <= 0) return;
  static_cast<void>(::kill(process_, SIGKILL));
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string ReadOnlyServer::words() const {
  std::array<char, 4096> text{};
  const ssize_t count = ::pread(log_.get(), text.data(), text.size(), 0);
  std::string words(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  while (words.ends_with('\n')) words.pop_back();
  return words;
}

}  // namespace sealift::vm
