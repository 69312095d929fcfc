// What a value in a definition may look like.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace sealift::vm {

/// Whether `value` has `form`: one of several words ("yes|no"), or
///   <number>          decimal or 0x-hexadecimal, at most 20 digits
///   <signed number>   the same, or with a minus
///   <word>            [A-Za-z0-9_.:,+-], 1 to 128 characters, no ".."
///   <text>            UTF-8 without control characters, at most 4096 bytes
///   <lines>           such text, in several lines
///   <VM name>         1 to 255 bytes of such text, no slash, not "." or ".."
///   <host name>       a network, bridge or filter: as a VM name
///   <uuid> <mac>
///   <usb port>        numbers joined by points
///   <time zone>       [A-Za-z0-9_/+-], no leading slash, no ".."
///   <firmware>        a file under /usr/share/OVMF, /usr/share/qemu, /usr/share/edk2*
///   <log file>        a file under /var/log/libvirt/
///   <random device>   /dev/random or /dev/urandom
///   <channel socket>  a file under libvirt's own folders of channel sockets
///   <emulator>        one of `emulators`
///   <dropped>         anything: the attribute is left out
bool value_fits(std::string_view value, std::string_view form,
                const std::set<std::string>& emulators);

/// Whether `name` can be a file name of its own on the target: letters of any script,
/// digits, space, "_", "." and "-", at most 200 bytes, beginning with none of the last
/// two, and no space at either end.
bool is_safe_file_name(std::string_view name);

/// Whether `path` is a firmware image's place, as the form <firmware> says.
bool is_firmware_path(std::string_view path);

}  // namespace sealift::vm
