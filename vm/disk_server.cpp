#include "vm/disk_server.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

namespace sealift::vm {

namespace {

constexpr auto kPoll = std::chrono::milliseconds(20);
// In which QEMU sees by itself that a connection has ended.
constexpr auto kNoticeTime = std::chrono::seconds(1);
// __SO_ACCEPTCON, of a socket that listens.
constexpr std::string_view kListens = "00010000";

}  // namespace

std::optional<std::size_t> count_connections(const std::filesystem::path& socket) {
  std::ifstream list("/proc/net/unix");
  std::string line;
  std::size_t count = 0;
  bool is_there = false;
  while (std::getline(list, line)) {
    std::istringstream words(line);
    std::string number, references, protocol, flags, type, state, inode, path;
    words >> number >> references >> protocol >> flags >> type >> state >> inode;
    if (!std::getline(words >> std::ws, path) || path != socket.native()) continue;
    if (flags == kListens) {
      is_there = true;
    } else {
      ++count;
    }
  }
  if (!is_there) return std::nullopt;
  return count;
}

base::Status wait_until_nobody_reads(const std::filesystem::path& socket,
                                     std::chrono::milliseconds limit) {
  // Whoever opened the connection has it; nobody finds the way any more.
  static_cast<void>(::unlink(socket.c_str()));
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    const auto count = count_connections(socket);
    if (!count) {
      std::this_thread::sleep_for(kNoticeTime);
      return base::Done{};
    }
    if (*count == 0) return base::Done{};
    if (std::chrono::steady_clock::now() > deadline) {
      return base::Error(base::ErrorCode::kHypervisor,
                         "QEMU does not close the connections to the VM's disks")
          .at("socket", socket.string());
    }
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace sealift::vm
