#include "vm/guard_channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sealift::vm {

namespace {

constexpr std::size_t kMessageLimit = std::size_t{128} * 1024;

}  // namespace

base::Result<GuardChannel::Pair> GuardChannel::make_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return base::system_error(errno, "cannot make a socket pair");
  }
  return Pair{base::FileDescriptor(ends[0]), base::FileDescriptor(ends[1])};
}

base::Status GuardChannel::send(const base::Json& message, int passed) {
  std::string text = message.dump(-1, ' ', true, base::Json::error_handler_t::replace);
  iovec part{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (passed >= 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* attached = CMSG_FIRSTHDR(&header);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(attached), &passed, sizeof passed);
  }
  while (::sendmsg(socket_.get(), &header, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) {
      return base::system_error(errno, "the capture and its guard cannot talk");
    }
  }
  return base::Done{};
}

GuardChannel::Arrival GuardChannel::receive(Message& message,
                                            std::chrono::milliseconds limit) {
  pollfd waiting{socket_.get(), POLLIN, 0};
  const int ready = ::poll(&waiting, 1, static_cast<int>(limit.count()));
  if (ready <= 0) return Arrival::kNothing;
  std::string text(kMessageLimit, '\0');
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = -1;
  do {
    size = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
    // Reset: the other side did not read our last words; its own still come.
  } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
  if (size <= 0) return Arrival::kEnd;
  const cmsghdr* attached = CMSG_FIRSTHDR(&header);
  message.passed = base::FileDescriptor();
  if (attached != nullptr && attached->cmsg_type == SCM_RIGHTS) {
    int passed = -1;
    std::memcpy(&passed, CMSG_DATA(attached), sizeof passed);
    message.passed = base::FileDescriptor(passed);
  }
  text.resize(static_cast<std::size_t>(size));
  auto json = base::parse_strict_json(text);
  if (!json) return Arrival::kEnd;
  message.json = std::move(json).value();
  return Arrival::kMessage;
}

base::Json to_json(const CaptureTraces& traces) {
  base::Json scratch = base::Json::array();
  for (const auto& file : traces.scratch_files) scratch.push_back(file.string());
  base::Json overlays = base::Json::array();
  for (const Overlay& overlay : traces.overlays) {
    overlays.push_back({{"target", overlay.target},
                        {"path", overlay.path.string()},
                        {"base", overlay.base.string()}});
  }
  return {
      {"is_paused", traces.is_paused},    {"mark", traces.mark.string()},
      {"is_frozen", traces.is_frozen},    {"frozen_mark", traces.frozen_mark.string()},
      {"socket", traces.socket.string()}, {"scratch_files", std::move(scratch)},
      {"checkpoint", traces.checkpoint},  {"overlays", std::move(overlays)}};
}

base::Result<CaptureTraces> traces_from_json(const base::Json& json) {
  CaptureTraces traces;
  ASSIGN_OR_RETURN(traces.is_paused, base::json_bool(json, "is_paused"));
  ASSIGN_OR_RETURN(traces.mark, base::json_string(json, "mark"));
  ASSIGN_OR_RETURN(traces.is_frozen, base::json_bool(json, "is_frozen"));
  ASSIGN_OR_RETURN(traces.frozen_mark, base::json_string(json, "frozen_mark"));
  ASSIGN_OR_RETURN(traces.socket, base::json_string(json, "socket"));
  ASSIGN_OR_RETURN(traces.checkpoint, base::json_string(json, "checkpoint"));
  ASSIGN_OR_RETURN(const base::Json scratch, base::json_array(json, "scratch_files"));
  for (const base::Json& file : scratch) {
    traces.scratch_files.emplace_back(file.get<std::string>());
  }
  ASSIGN_OR_RETURN(const base::Json overlays, base::json_array(json, "overlays"));
  for (const base::Json& item : overlays) {
    Overlay overlay;
    ASSIGN_OR_RETURN(overlay.target, base::json_string(item, "target"));
    ASSIGN_OR_RETURN(overlay.path, base::json_string(item, "path"));
    ASSIGN_OR_RETURN(overlay.base, base::json_string(item, "base"));
    traces.overlays.push_back(std::move(overlay));
  }
  return traces;
}

}  // namespace sealift::vm
