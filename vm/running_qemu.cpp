#include "vm/running_qemu.h"

#include <charconv>
#include <fstream>
#include <string_view>

namespace sealift::vm {

namespace {

constexpr const char* kLogFolder = "/var/log/libvirt/qemu/";
constexpr std::string_view kWords = "qemu version: ";

unsigned take_number(std::string_view& text) {
  unsigned number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with('.')) text.remove_prefix(1);
  return number;
}

}  // namespace

// "2026-11-23 18:00:00.000+0000: starting up libvirt version: 9.0.0, package: ..., qemu
// version: 7.2.22Debian 1:7.2+dfsg-7+deb12u18, kernel: ..., hostname: ..."
QemuVersion read_version_from_log(const std::string& log) {
  const std::size_t found = log.rfind(kWords);
  if (found == std::string::npos) return {};
  std::string_view text = std::string_view(log).substr(found + kWords.size());
  QemuVersion version;
  version.major = take_number(text);
  version.minor = take_number(text);
  version.micro = take_number(text);
  return version;
}

QemuVersion running_qemu_version(const Domain& domain) {
  std::ifstream file(std::string(kLogFolder) + virDomainGetName(domain.get()) + ".log");
  QemuVersion version;
  std::string line;
  while (std::getline(file, line)) {
    if (line.find(kWords) != std::string::npos) version = read_version_from_log(line);
  }
  return version;
}

}  // namespace sealift::vm
