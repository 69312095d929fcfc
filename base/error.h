// What can go wrong, said so that an operator can act: what, where, next.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sealift::base {

/// One code per decision a caller or a script can take. The value is the exit status
/// (docs/exit-status.md): append new ones, never renumber a released one.
enum class ErrorCode : std::uint8_t {
  kDefect = 1,        ///< The program misuses a part of itself; no input makes it.
  kUsage = 2,         ///< The command line is wrong; nothing was touched.
  kCorrupt = 3,       ///< Damaged, tampered with, unsigned, or signed by a stranger.
  kRefused = 5,       ///< The plan has blockers; nothing was touched.
  kUnproven = 6,      ///< It ran, and the VM did not prove itself.
  kNotFound = 10,     ///< The named VM, snapshot, key, file or repository is not there.
  kBusy = 11,         ///< Another run holds it; trying again can succeed.
  kWrongKey = 12,     ///< This key, or passphrase, does not open it.
  kUnsupported = 14,  ///< Written by a newer version; upgrading can read it.
  kIo = 15,           ///< The operating system or the network refused; see cause().
  kHypervisor = 16,   ///< libvirt refused; see cause().
  kInterrupted = 130,  ///< A signal stopped it; what was finished is kept.
};

/// Ownership  A value. Threads  As a std::string.
/// A secret never enters an Error: not a key, a passphrase, or plaintext.
class [[nodiscard]] Error {
 public:
  /// One enclosing place: {"vm", "web-01"}, {"disk", "vda"}, {"offset", "1048576"}.
  struct Place {
    std::string kind;
    std::string name;

    friend bool operator==(const Place&, const Place&) = default;
  };

  /// `what` is one phrase about the thing that failed: lower case, no full stop, no
  /// line break, no advice.
  Error(ErrorCode code, std::string what);

  /// Adds the next place outwards, once: a callee names an offset, its caller a file.
  Error& at(std::string_view kind, std::string_view name) &;
  Error&& at(std::string_view kind, std::string_view name) &&;

  /// Adds what a library said: strerror, OpenSSL, SQLite, libvirt. Verbatim.
  Error&& because(std::string_view cause) &&;

  /// Adds one thing the operator can do now: a command, or a decision to take.
  Error& next(std::string_view step) &;
  Error&& next(std::string_view step) &&;

  ErrorCode code() const noexcept { return code_; }
  const std::string& what() const noexcept { return what_; }
  /// Innermost first.
  const std::vector<Place>& places() const noexcept { return places_; }
  const std::string& cause() const noexcept { return cause_; }
  const std::vector<std::string>& next_steps() const noexcept { return next_steps_; }

 private:
  ErrorCode code_;
  std::string what_;
  std::vector<Place> places_;
  std::string cause_;
  std::vector<std::string> next_steps_;
};

/// The error as a person reads it: "error:", "  where:" (outermost place first),
/// "  cause:", then one "  next: " line per step, each ended by a line feed. Control
/// characters and invalid UTF-8 in any part are escaped as \xNN.
std::string render(const Error& error);

/// "cannot read a file: Permission denied": what happened and its cause, for where an
/// error is a part of other words.
std::string one_line(const Error& error);

/// `text` with control characters and invalid UTF-8 written as \xNN, so that a name
/// from outside cannot move the cursor of a terminal.
std::string printable(std::string_view text);

/// A kIo Error whose cause is the system's words for `error_number` (an errno value).
Error system_error(int error_number, std::string what);

}  // namespace sealift::base
