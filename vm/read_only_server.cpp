#include "vm/read_only_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/background.h"
#include "base/strict_json.h"
#include "vm/nbd_reader.h"

namespace sealift::vm {

namespace {

constexpr int kFirstPassedSocket = 3;  // sd_listen_fds(3): descriptors begin here.
constexpr int kPassedKey = 4;
constexpr const char* kKeyId = "key";
constexpr int kOpenLimitMilliseconds = 30'000;

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

std::string image_option(const Disk& disk, bool has_key) {
  if (disk.rbd) {
    const base::Json node = {{"driver", disk.format},
                             {"read-only", true},
                             {"file", rbd_layer(*disk.rbd, has_key ? kKeyId : "")}};
    return "json:" + node.dump();
  }
  base::Json below = nullptr;
  for (std::size_t depth = disk.backing.size(); depth > 0; --depth) {
    const BackingFile& image = disk.backing[depth - 1];
    below = layer(image.path, image.format, std::move(below));
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
    status = client ? connect_to_socket(client.value(), path) : client.error();
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
  int key = -1;  // None.
  int log = -1;
};

[[noreturn]] void become_server(const ChildPlan& plan) {
  static_cast<void>(::setpgid(0, 0));  // Ctrl-C is for us, not for it.
  base::give_way_to_others();
  std::array<char, 16> digits{};
  std::size_t count = 0;
  for (pid_t rest = ::getpid(); rest > 0; rest /= 10) {
    digits[count++] = static_cast<char>('0' + rest % 10);
  }
  std::reverse_copy(digits.begin(), digits.begin() + count, plan.pid_digits);
  plan.pid_digits[count] = '\0';
  sigset_t none{};
  sigemptyset(&none);
  static_cast<void>(::sigprocmask(SIG_SETMASK, &none, nullptr));
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const int log = ::fcntl(plan.log, F_DUPFD, kPassedKey + 1);
  const int socket = ::fcntl(plan.socket, F_DUPFD, kPassedKey + 1);
  const int key = ::fcntl(plan.key, F_DUPFD, kPassedKey + 1);
  static_cast<void>(::dup2(nothing, STDIN_FILENO));
  static_cast<void>(::dup2(nothing, STDOUT_FILENO));
  static_cast<void>(::dup2(log, STDERR_FILENO));
  static_cast<void>(::dup2(socket, kFirstPassedSocket));
  if (key >= 0) static_cast<void>(::dup2(key, kPassedKey));
  const unsigned passed = key >= 0 ? kPassedKey : kFirstPassedSocket;
  static_cast<void>(::close_range(passed + 1, ~0U, 0));
  ::execvpe(plan.arguments.front(), plan.arguments.data(), plan.environment.data());
  const std::string_view words = "qemu-nbd cannot be started; is qemu-utils installed?";
  static_cast<void>(::write(STDERR_FILENO, words.data(), words.size()) > 0);
  ::_exit(127);
}

// A file in memory that only those have who were given it.
base::Result<base::FileDescriptor> hand_over(const keyvault::Secret& key) {
  base::FileDescriptor file(::memfd_create("key", MFD_CLOEXEC));
  const base::ByteView bytes = key.view();
  if (!file || ::write(file.get(), bytes.data(), bytes.size()) !=
                   static_cast<ssize_t>(bytes.size())) {
    return base::system_error(errno, "cannot make a file in memory");
  }
  return file;
}

}  // namespace

base::Result<ReadOnlyServer> ReadOnlyServer::start(const Disk& disk,
                                                   unsigned connections,
                                                   const keyvault::Secret* key,
                                                   const std::string& bitmap) {
  ASSIGN_OR_RETURN(Listener listener, listen_for(connections));
  ReadOnlyServer server;
  server.sockets_ = std::move(listener.clients);
  server.log_ = base::FileDescriptor(::memfd_create("qemu-nbd", MFD_CLOEXEC));
  if (!server.log_) return base::system_error(errno, "cannot make a file in memory");

  std::vector<std::string> words{"qemu-nbd", "--read-only", "--aio=threads",
                                 "--shared=" + std::to_string(connections)};
  if (!bitmap.empty()) words.push_back("--bitmap=" + bitmap);
  base::FileDescriptor key_file;
  if (key != nullptr) {
    ASSIGN_OR_RETURN(key_file, hand_over(*key));
    words.emplace_back("--object");
    words.push_back(std::string("secret,id=") + kKeyId + ",file=/dev/fd/" +
                    std::to_string(kPassedKey));
  }
  words.push_back(image_option(disk, key != nullptr));
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
  plan.key = key_file.get();

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

base::Status ReadOnlyServer::wait_for(const base::FileDescriptor& socket) const {
  pollfd waiting{socket.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, kOpenLimitMilliseconds);
  } while (ready < 0 && errno == EINTR);
  if (ready != 0) return base::Done{};
  return base::Error(base::ErrorCode::kIo, "a disk image cannot be opened in 30 s");
}

std::string ReadOnlyServer::words() const {
  std::array<char, 4096> text{};
  const ssize_t count = ::pread(log_.get(), text.data(), text.size(), 0);
  std::string words(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  while (words.ends_with('\n')) words.pop_back();
  return words;
}

}  // namespace sealift::vm
