// The process that stays when a capture's own is killed.
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "vm/capture.h"
#include "vm/guard_process.h"
#include "vm/held_connections.h"
#include "vm/scratch_room.h"
#include "vm/undo_capture.h"

namespace sealift::vm {

namespace {

constexpr auto kTick = std::chrono::milliseconds(500);
// A guest held still for longer goes on, whatever its capture still waits for; the
// capture measures too, and gives up the snapshot.
constexpr auto kPauseLimit = std::chrono::seconds(10);
// From before the agent is asked, which has 30 s, until after the pause.
constexpr auto kFrozenLimit = std::chrono::seconds(45);
// How long a capture may be stopped (SIGSTOP, a debugger) before it counts as dead: it
// reads no replies, and a reply that is not read holds the guest in its next reset.
constexpr int kTicksOfStopLimit = 6;
// A request of the dead may still lie in libvirt's queue.
constexpr auto kSettle = std::chrono::seconds(3);
constexpr auto kRetry = std::chrono::seconds(1);
// In which a dead capture's last words have come: the channel ends when the last of its
// threads has, and one that hangs in its storage says nothing more.
constexpr auto kLastWords = std::chrono::milliseconds(500);
constexpr auto kGoodbyeLimit = std::chrono::seconds(30);
constexpr auto kGiveUp = std::chrono::minutes(10);

enum class ProcessState { kAlive, kStopped, kDead };

ProcessState state_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size()) {
    return ProcessState::kAlive;  // What became of it, the channel tells.
  }
  switch (text[name_end + 2]) {
    case 'T':  // By a signal.
    case 't':  // By a debugger.
      return ProcessState::kStopped;
    case 'Z':  // Killed, and the channel still open: a thread hangs in its storage.
    case 'X':
      return ProcessState::kDead;
    default:
      return ProcessState::kAlive;
  }
}

class Guard {
 public:
  explicit Guard(pid_t capture)
      : capture_(capture),
        channel_(base::FileDescriptor(kGuardChannelDescriptor)),
        lock_(kGuardLockDescriptor) {}

  int run() {
    GuardChannel::Message first;
    if (channel_.receive(first, kGiveUp) != GuardChannel::Arrival::kMessage) return 1;
    const auto uri = base::json_string(first.json, "uri");
    const auto vm = base::json_string(first.json, "vm");
    if (!uri || !vm) return 1;
    uri_ = uri.value();
    vm_ = vm.value();
    if (auto status = reach(); !status) {
      answer({std::move(status).error()});
      return 1;
    }
    answer({});
    watch();
    return 0;
  }

 private:
  base::Status reach() {
    if (connection_ && virConnectIsAlive(connection_.get()) == 1 && domain_) {
      return base::Done{};
    }
    domain_.reset();
    connection_.reset();
    ASSIGN_OR_RETURN(connection_, connect(uri_));
    ASSIGN_OR_RETURN(domain_, find_domain(connection_, vm_));
    return base::Done{};
  }

  void watch() {
    int stopped_ticks = 0;
    while (true) {
      GuardChannel::Message message;
      switch (channel_.receive(message, kTick)) {
        case GuardChannel::Arrival::kMessage:
          if (message.json.contains("undo")) {
            const auto failures = undo();
            answer(failures);
            // libvirt may be away for longer than the capture waits.
            if (!failures.empty() || traces_.is_frozen) undo_for_the_dead();
            return;
          }
          if (message.json.contains("watching")) {
            static_cast<void>(channel_.send({{"watching", true}}));
          }
          take(message);
          break;
        case GuardChannel::Arrival::kEnd:
          undo_for_the_dead();
          return;
        case GuardChannel::Arrival::kNothing:
          break;
      }
      const ProcessState state = state_of(capture_);
      stopped_ticks = state == ProcessState::kStopped ? stopped_ticks + 1 : 0;
      if (state == ProcessState::kDead || stopped_ticks > kTicksOfStopLimit ||
          find_low_room(traces_)) {
        undo_for_the_dead();
        return;
      }
      if (is_pause_over() && reach() && resume_if_paused(domain_)) {
        traces_.is_paused = false;
      }
      if (is_freeze_over() && reach() && undo_freeze(domain_, traces_)) {
        traces_.is_frozen = false;
      }
    }
  }

  void take(GuardChannel::Message& message) {
    if (message.passed) connections_.add(std::move(message.passed));
    if (!message.json.contains("hold")) return;
    auto traces = traces_from_json(message.json["hold"]);
    if (!traces) return;
    if (traces->is_paused && !traces_.is_paused) {
      paused_since_ = std::chrono::steady_clock::now();
    }
    if (traces->is_frozen && !traces_.is_frozen) {
      frozen_since_ = std::chrono::steady_clock::now();
    }
    traces_ = std::move(traces).value();
  }

  bool is_pause_over() const {
    return traces_.is_paused &&
           std::chrono::steady_clock::now() - paused_since_ > kPauseLimit;
  }

  bool is_freeze_over() const {
    return traces_.is_frozen &&
           std::chrono::steady_clock::now() - frozen_since_ > kFrozenLimit;
  }

  std::vector<base::Error> undo() {
    auto status = reach();
    for (int attempt = 0; !status && attempt < 30; ++attempt) {
      std::this_thread::sleep_for(kRetry);
      status = reach();
    }
    if (!status) return {std::move(status).error()};
    if (traces_.is_paused) static_cast<void>(resume_if_paused(domain_));
    if (!connections_.end(kGoodbyeLimit)) {
      return {base::Error(base::ErrorCode::kHypervisor,
                          "QEMU does not close the connections to the VM's disks")};
    }
    // An agent that hangs costs nobody the snapshot: it is asked again afterwards.
    if (undo_freeze(domain_, traces_)) traces_.is_frozen = false;
    CaptureTraces rest = traces_;
    rest.is_frozen = false;
    return undo_capture(domain_, rest);
  }

  // What the capture said before it fell silent may not have been read yet, and names
  // what has to be undone: that the guest stands still, a socket.
  void hear_out(std::chrono::milliseconds silence) {
    GuardChannel::Message message;
    while (channel_.receive(message, silence) == GuardChannel::Arrival::kMessage) {
      take(message);
    }
  }

  // Nobody waits for us: libvirt may come back, and what is still in its queue happen.
  void undo_for_the_dead() {
    const auto begin = std::chrono::steady_clock::now();
    hear_out(kLastWords);
    while (true) {
      const bool is_clean = undo_once();
      const auto spent = std::chrono::steady_clock::now() - begin;
      if (is_clean && spent > kSettle) return;
      if (!is_clean && spent > kGiveUp) return;
      std::this_thread::sleep_for(is_clean ? std::chrono::milliseconds(200) : kRetry);
    }
  }

  bool undo_once() {
    // The guest goes on first; that needs no connection to end.
    if (traces_.is_paused && reach()) static_cast<void>(resume_if_paused(domain_));
    if (reach()) static_cast<void>(undo_freeze(domain_, traces_));
    // A stopped capture may go on at any moment: first it cannot find its way to QEMU
    // any more, then it has nothing to tell that is not known here.
    static_cast<void>(remove_if_there(traces_.socket));
    hear_out(std::chrono::milliseconds(0));
    return connections_.end(kGoodbyeLimit) && reach() &&
           undo_capture(domain_, traces_).empty();
  }

  void answer(const std::vector<base::Error>& failures) {
    base::Json message = {{"failures", failures.size()}};
    if (!failures.empty()) {
      const base::Error& error = failures.front();
      base::Json where = base::Json::array();
      for (const auto& place : error.places()) {
        where.push_back({{"kind", place.kind}, {"name", place.name}});
      }
      message["code"] = static_cast<int>(error.code());
      message["error"] = error.what();
      message["where"] = where;
      message["cause"] = error.cause();
    }
    static_cast<void>(channel_.send(message));
  }

  pid_t capture_;
  GuardChannel channel_;
  base::FileDescriptor lock_;  // Held until this process ends, never looked at.
  std::string uri_;
  std::string vm_;
  Connection connection_;
  Domain domain_;
  CaptureTraces traces_;
  std::chrono::steady_clock::time_point paused_since_;
  std::chrono::steady_clock::time_point frozen_since_;
  HeldConnections connections_;
};

}  // namespace

std::optional<int> run_as_capture_guard(const std::vector<std::string>& arguments) {
  if (arguments.size() != 1 || arguments.front() != kGuardArgument) return std::nullopt;
  const pid_t capture = ::getppid();
  // What ends the capture must not end its guard: a terminal, a service manager.
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE}) {
    static_cast<void>(::signal(number, SIG_IGN));
  }
  return Guard(capture).run();
}

}  // namespace sealift::vm
