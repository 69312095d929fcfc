#include "vm/definition_value.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/uuid.h"

namespace sealift::vm {

namespace {

constexpr std::size_t kMaxWord = 128;
constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxVmName = 255;
constexpr std::size_t kMaxFileName = 200;
constexpr std::size_t kMaxDigits = 20;
constexpr std::size_t kMaxPath = 1024;

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";
constexpr std::string_view kLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool consists_of(std::string_view value, std::string_view characters) {
  return value.find_first_not_of(characters) == std::string_view::npos;
}

bool holds(std::string_view value, std::string_view part) {
  return value.find(part) != std::string_view::npos;
}

bool is_one_of_characters(char c, std::string_view characters) {
  return characters.find(c) != std::string_view::npos;
}

bool is_number(std::string_view value) {
  if (value.starts_with("0x")) {
    value.remove_prefix(2);
    return !value.empty() && value.size() <= kMaxDigits &&
           consists_of(value, kHexDigits);
  }
  return !value.empty() && value.size() <= kMaxDigits && consists_of(value, kDigits);
}

bool is_signed_number(std::string_view value) {
  if (value.starts_with('-')) value.remove_prefix(1);
  return is_number(value);
}

bool is_word(std::string_view value) {
  static const std::string characters =
      std::string(kLetters) + std::string(kDigits) + "_.:,+-";
  return !value.empty() && value.size() <= kMaxWord && consists_of(value, characters) &&
         !holds(value, "..");
}

bool is_text(std::string_view value) {
  return value.size() <= kMaxText && base::printable(value) == value;
}

// As text, in several lines.
bool is_lines(std::string_view value) {
  std::string one_line(value);
  std::erase_if(one_line, [](char c) { return c == '\n' || c == '\t'; });
  return is_text(one_line);
}

bool is_name(std::string_view value) {
  return value.size() <= kMaxVmName && is_text(value) && !holds(value, "/") &&
         value != "." && value != ".." &&
         value.find_first_not_of(' ') != std::string_view::npos;
}

bool is_mac(std::string_view value) {
  constexpr std::size_t kLength = 17;
  if (value.size() != kLength) return false;
  for (std::size_t i = 0; i < kLength; ++i) {
    const bool is_fitting =
        i % 3 == 2 ? value[i] == ':' : is_one_of_characters(value[i], kHexDigits);
    if (!is_fitting) return false;
  }
  return true;
}

bool is_time_zone(std::string_view value) {
  static const std::string characters =
      std::string(kLetters) + std::string(kDigits) + "_/+-";
  return !value.empty() && value.size() <= kMaxWord && consists_of(value, characters) &&
         !value.starts_with('/');
}

// A path below a folder, with no part that leads elsewhere.
bool is_plain_path(std::string_view path) {
  if (path.empty() || path.size() > kMaxPath || !path.starts_with('/') ||
      path.ends_with('/') || base::printable(path) != path) {
    return false;
  }
  path.remove_prefix(1);
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool is_channel_socket(std::string_view path) {
  return is_plain_path(path) && (path.starts_with("/var/lib/libvirt/qemu/channel/") ||
                                 path.starts_with("/run/libvirt/qemu/channel/") ||
                                 path.starts_with("/var/run/libvirt/qemu/channel/"));
}

bool is_one_of(std::string_view value, std::string_view choices) {
  while (true) {
    const std::size_t bar = choices.find('|');
    if (value == choices.substr(0, bar)) return true;
    if (bar == std::string_view::npos) return false;
    choices.remove_prefix(bar + 1);
  }
}

}  // namespace

bool is_firmware_path(std::string_view path) {
  return is_plain_path(path) &&
         (path.starts_with("/usr/share/OVMF/") ||
          path.starts_with("/usr/share/qemu/") || path.starts_with("/usr/share/edk2"));
}

bool is_safe_file_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxFileName || !is_text(name)) return false;
  if (name.starts_with('.') || name.starts_with('-')) return false;
  if (name.starts_with(' ') || name.ends_with(' ')) return false;
  return std::ranges::all_of(name, [](char c) {
    return static_cast<unsigned char>(c) >= 0x80 || is_one_of_characters(c, kLetters) ||
           is_one_of_characters(c, kDigits) || c == ' ' || c == '_' || c == '.' ||
           c == '-';
  });
}

bool value_fits(std::string_view value, std::string_view form,
                const std::set<std::string>& emulators) {
  if (!form.starts_with('<')) return is_one_of(value, form);
  if (form == "<number>") return is_number(value);
  if (form == "<signed number>") return is_signed_number(value);
  if (form == "<word>") return is_word(value);
  if (form == "<text>") return is_text(value);
  if (form == "<lines>") return is_lines(value);
  if (form == "<VM name>" || form == "<host name>") return is_name(value);
  if (form == "<uuid>") return base::Uuid::is_uuid(value);
  if (form == "<mac>") return is_mac(value);
  if (form == "<usb port>") return is_word(value) && consists_of(value, "0123456789.x");
  if (form == "<time zone>") return is_time_zone(value);
  if (form == "<firmware>") return is_firmware_path(value);
  if (form == "<log file>") {
    return is_plain_path(value) && value.starts_with("/var/log/libvirt/");
  }
  if (form == "<random device>") {
    return value == "/dev/random" || value == "/dev/urandom";
  }
  if (form == "<channel socket>") return is_channel_socket(value);
  if (form == "<emulator>") return emulators.contains(std::string(value));
  return form == "<dropped>";
}

}  // namespace sealift::vm
