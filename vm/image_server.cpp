#include "vm/image_server.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>
#include <thread>

#include "base/filesystem.h"

namespace sealift::vm {

namespace {

// Two connections of four requests each is where qemu-nbd is saturated; a synchronous
// writer has one request in flight, and more than four writers gain nothing.
constexpr int kConnections = 4;
constexpr auto kStartLimit = std::chrono::seconds(20);
constexpr auto kPoll = std::chrono::milliseconds(10);
constexpr auto kEndLimit = std::chrono::seconds(120);
constexpr std::uint64_t kLogLimit = 16384;

base::Error nbd_error(std::string what, const std::string& image) {
  const char* words = nbd_get_error();
  return base::Error(base::ErrorCode::kIo, std::move(what))
      .at("file", image)
      .because(words == nullptr ? "" : words);
}

base::Result<std::filesystem::path> make_private_folder() {
  std::string pattern = "/tmp/sealift-disk-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    return base::system_error(errno, "cannot make a folder for a socket")
        .at("folder", "/tmp");
  }
  return std::filesystem::path(pattern);
}

// cache=none needs O_DIRECT, which not every file system has.
std::string cache_mode(const std::filesystem::path& image) {
  const int descriptor =
      ::open(image.c_str(), O_RDWR | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return "writeback";
  static_cast<void>(::close(descriptor));
  return "none";
}

}  // namespace

base::Result<std::unique_ptr<ImageServer>> ImageServer::serve(
    const std::filesystem::path& image, const std::string& format) {
  std::unique_ptr<ImageServer> server(new ImageServer);
  server->image_ = image.string();
  ASSIGN_OR_RETURN(server->folder_, make_private_folder());
  RETURN_IF_ERROR(server->start(image, format));
  RETURN_IF_ERROR(server->connect_all());
  return server;
}

ImageServer::~ImageServer() {
  free_.clear();
  if (process_ > 0 && !has_ended(Wait::kLook)) {
    static_cast<void>(::kill(process_, SIGKILL));
    static_cast<void>(has_ended(Wait::kUntilItEnds));
  }
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

base::Status ImageServer::start(const std::filesystem::path& image,
                                const std::string& format) {
  std::vector<std::string> words{"qemu-nbd",
                                 "--socket=" + (folder_ / "socket").string(),
                                 "--format=" + format,
                                 "--cache=" + cache_mode(image),
                                 "--aio=threads",
                                 "--discard=unmap",
                                 "--shared=" + std::to_string(kConnections),
                                 image.string()};
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  const std::string log = folder_ / "log";
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(),
                                   O_CREAT | O_EXCL | O_WRONLY, 0600);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  // A signal to our process group (Ctrl-C) must not end it before we do: what we then
  // undo is an image that nobody else is writing to.
  posix_spawnattr_t attributes{};
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int reason = ::posix_spawnp(&process_, "qemu-nbd", &actions, &attributes,
                                    arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (reason == 0) return base::Done{};
  process_ = -1;
  if (reason == ENOENT) {
    return base::Error(base::ErrorCode::kNotFound, "a program is not installed")
        .at("program", "qemu-nbd")
        .next("install it: apt-get install qemu-utils");
  }
  return base::system_error(reason, "cannot start a program").at("program", "qemu-nbd");
}

// The first connection that succeeds is kept: when the last one closes, qemu-nbd ends.
base::Result<NbdConnection> ImageServer::connect_first() {
  const std::string socket = folder_ / "socket";
  const auto deadline = std::chrono::steady_clock::now() + kStartLimit;
  while (true) {
    NbdConnection connection(nbd_create());
    if (!connection) return nbd_error("cannot make an NBD handle", image_);
    if (nbd_connect_unix(connection.get(), socket.c_str()) == 0) return connection;
    if (has_ended(Wait::kLook)) return refused("qemu-nbd does not serve the image");
    if (std::chrono::steady_clock::now() > deadline) {
      return nbd_error("qemu-nbd does not answer", image_);
    }
    std::this_thread::sleep_for(kPoll);
  }
}

base::Status ImageServer::connect_all() {
  ASSIGN_OR_RETURN(NbdConnection first, connect_first());
  free_.push_back(std::move(first));
  const std::string socket = folder_ / "socket";
  for (int i = 1; i < kConnections; ++i) {
    NbdConnection connection(nbd_create());
    if (!connection || nbd_connect_unix(connection.get(), socket.c_str()) != 0) {
      return nbd_error("cannot connect to qemu-nbd", image_);
    }
    free_.push_back(std::move(connection));
  }
  return base::Done{};
}

base::Status ImageServer::write(std::uint64_t offset, base::ByteView bytes) {
  NbdConnection connection;
  {
    std::unique_lock lock(mutex_);
    is_free_.wait(lock, [this] { return !free_.empty(); });
    connection = std::move(free_.back());
    free_.pop_back();
  }
  const bool is_written =
      nbd_pwrite(connection.get(), bytes.data(), bytes.size(), offset, 0) == 0;
  base::Status status = base::Done{};
  if (!is_written) {
    status = nbd_error("cannot write to the disk image", image_)
                 .at("offset", std::to_string(offset));
  }
  {
    const std::scoped_lock lock(mutex_);
    free_.push_back(std::move(connection));
  }
  is_free_.notify_one();
  return status;
}

base::Status ImageServer::finish() {
  for (const NbdConnection& connection : free_) {
    if (nbd_flush(connection.get(), 0) != 0) {
      return nbd_error("cannot make a disk image durable", image_);
    }
  }
  for (const NbdConnection& connection : free_) {
    static_cast<void>(nbd_shutdown(connection.get(), 0));
  }
  free_.clear();
  const auto deadline = std::chrono::steady_clock::now() + kEndLimit;
  while (!has_ended(Wait::kLook)) {
    if (std::chrono::steady_clock::now() > deadline) {
      return base::Error(base::ErrorCode::kIo, "qemu-nbd does not close the image")
          .at("file", image_);
    }
    std::this_thread::sleep_for(kPoll);
  }
  if (exit_status_ != 0) return refused("qemu-nbd did not close the image well");
  return base::Done{};
}

base::Error ImageServer::refused(std::string what) const {
  std::string words = "qemu-nbd ended with status " + std::to_string(exit_status_);
  if (const auto log = base::read_file(folder_ / "log", kLogLimit)) {
    std::string_view text = base::as_text(log.value());
    while (text.ends_with('\n')) text.remove_suffix(1);
    if (!text.empty()) words = text;
  }
  return base::Error(base::ErrorCode::kIo, std::move(what))
      .at("file", image_)
      .because(words);
}

bool ImageServer::has_ended(Wait wait) {
  if (process_ <= 0) return true;
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(process_, &status, wait == Wait::kLook ? WNOHANG : 0);
  } while (ended < 0 && errno == EINTR);
  if (ended == 0) return false;
  process_ = -1;
  exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

}  // namespace sealift::vm
