#include "vm/guard_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

namespace sealift::vm {

namespace {

constexpr auto kStartLimit = std::chrono::seconds(30);
// A merge of an overlay can take minutes, and the guest runs meanwhile.
constexpr auto kUndoLimit = std::chrono::minutes(30);
// It looks up every half second.
constexpr auto kWatchLimit = std::chrono::seconds(10);
constexpr auto kEndLimit = std::chrono::seconds(10);
constexpr auto kPoll = std::chrono::milliseconds(10);

base::Error guard_is_gone() {
  return base::Error(base::ErrorCode::kIo, "the guard of the capture is gone")
      .next("run this again: what is left on the VM is cleaned up first");
}

base::Error error_from(const base::Json& answer) {
  const auto text = [&answer](const char* name) {
    return base::json_string(answer, name);
  };
  const auto what = text("error");
  base::Error error(answer.value("code", 0) == static_cast<int>(base::ErrorCode::kIo)
                        ? base::ErrorCode::kIo
                        : base::ErrorCode::kHypervisor,
                    what ? what.value() : "the guard of the capture failed");
  if (const auto places = base::json_array(answer, "where")) {
    for (const base::Json& place : places.value()) {
      error.at(place.value("kind", "place"), place.value("name", ""));
    }
  }
  const auto cause = text("cause");
  return std::move(error)
      .because(cause ? cause.value() : "")
      .next(
          "run this again once libvirt answers: what is left on the VM is cleaned up "
          "first");
}

}  // namespace

base::Result<std::unique_ptr<GuardProcess>> GuardProcess::start(
    const std::filesystem::path& program, const GuardedVm& vm, int lock) {
  ASSIGN_OR_RETURN(GuardChannel::Pair pair, GuardChannel::make_pair());
  // Over the numbers that the guard gets: dup2 must not find source and goal the same.
  const base::FileDescriptor channel(
      ::fcntl(pair.of_guard.get(), F_DUPFD_CLOEXEC, kGuardLockDescriptor + 1));
  const base::FileDescriptor held(
      ::fcntl(lock, F_DUPFD_CLOEXEC, kGuardLockDescriptor + 1));
  if (!channel || !held) return base::system_error(errno, "cannot start the guard");

  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  for (int number = 0; number < kGuardChannelDescriptor; ++number) {
    posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, channel.get(), kGuardChannelDescriptor);
  posix_spawn_file_actions_adddup2(&actions, held.get(), kGuardLockDescriptor);
  posix_spawn_file_actions_addclosefrom_np(&actions, kGuardLockDescriptor + 1);
  posix_spawn_file_actions_addchdir_np(&actions, "/");
  posix_spawnattr_t attributes{};
  posix_spawnattr_init(&attributes);
  sigset_t none{};
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  std::string name = "sealift";
  std::string argument = kGuardArgument;
  std::array<char*, 3> arguments{name.data(), argument.data(), nullptr};
  pid_t process = -1;
  const int reason = ::posix_spawn(&process, program.c_str(), &actions, &attributes,
                                   arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (reason != 0) {
    return base::system_error(reason, "cannot start the guard of the capture")
        .at("program", program.string());
  }
  pair.of_guard = base::FileDescriptor();
  std::unique_ptr<GuardProcess> guard(
      new GuardProcess(GuardChannel(std::move(pair.ours)), process));
  RETURN_IF_ERROR(guard->channel_.send({{"uri", vm.uri}, {"vm", vm.uuid.text()}}));
  ASSIGN_OR_RETURN(const base::Json answer, guard->wait_for_answer(kStartLimit));
  if (answer.contains("error")) return error_from(answer);
  return guard;
}

GuardProcess::~GuardProcess() {
  // Closing the channel is what tells it. It must not stay a zombie while we live; but
  // where something cannot be undone yet it goes on trying, without us.
  channel_ = GuardChannel(base::FileDescriptor());
  const auto deadline = std::chrono::steady_clock::now() + kEndLimit;
  while (process_ > 0 && ::waitpid(process_, nullptr, WNOHANG) == 0 &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kPoll);
  }
}

base::Status GuardProcess::hold(const CaptureTraces& traces) {
  if (!channel_.send({{"hold", to_json(traces)}})) return guard_is_gone();
  return base::Done{};
}

base::Status GuardProcess::hold_socket(int socket) {
  if (!channel_.send({{"drain", true}}, socket)) return guard_is_gone();
  return base::Done{};
}

bool GuardProcess::is_watching() {
  if (!channel_.send({{"watching", true}})) return false;
  const auto answer = wait_for_answer(kWatchLimit);
  return answer && answer->contains("watching");
}

base::Status GuardProcess::undo() {
  if (!channel_.send({{"undo", true}})) return guard_is_gone();
  ASSIGN_OR_RETURN(const base::Json answer, wait_for_answer(kUndoLimit));
  if (answer.contains("error")) return error_from(answer);
  return base::Done{};
}

base::Result<base::Json> GuardProcess::wait_for_answer(std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  GuardChannel::Message message;
  while (std::chrono::steady_clock::now() < deadline) {
    switch (channel_.receive(message, std::chrono::seconds(1))) {
      case GuardChannel::Arrival::kMessage:
        return std::move(message.json);
      case GuardChannel::Arrival::kEnd:
        return guard_is_gone();
      case GuardChannel::Arrival::kNothing:
        break;
    }
  }
  return base::Error(base::ErrorCode::kIo, "the guard of the capture does not answer");
}

}  // namespace sealift::vm
