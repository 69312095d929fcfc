// One run of one command: what the operator chose, and how words reach him.
#pragma once

#include <string>

#include "base/error.h"
#include "base/strict_json.h"
#include "cli/global_options.h"
#include "cli/surroundings.h"

namespace sealift::cli {

/// 0, or 4: it finished and not everything is well, which was said on standard error.
/// The codes of errors are base::ErrorCode.
/// Or what ended_with() makes.
enum class ExitStatus { kDone = 0, kNotEverything = 4 };

/// The status of errors that were all reported already.
inline ExitStatus ended_with(base::ErrorCode code) {
  return static_cast<ExitStatus>(static_cast<int>(code));
}

/// `error` as it is shown: each place once. Rooms add the places they know, and two of
/// them may know the same one.
std::string shown(const base::Error& error);

/// Everything said goes to standard error, but results: those go to `output()`.
/// One thread at a time.
class Session {
 public:
  Session(const GlobalOptions& chosen, const Surroundings& surroundings)
      : chosen_(chosen), surroundings_(surroundings) {}

  const GlobalOptions& chosen() const noexcept { return chosen_; }
  const Surroundings& surroundings() const noexcept { return surroundings_; }
  std::ostream& output() const noexcept { return surroundings_.output; }
  bool wants_json() const noexcept { return chosen_.form == Form::kJson; }

  /// For people; not with --quiet. May have several lines.
  void say(const std::string& words) const;
  /// Only with --verbose.
  void mention(const std::string& words) const;
  /// What deserves a look and stops nothing; also with --quiet.
  void warn(const std::string& words) const;
  /// An error that the command goes on from, or that follows another.
  void report(const base::Error& error) const;
  /// One value, indented, and a line feed.
  void answer(const base::Json& value) const;

 private:
  const GlobalOptions& chosen_;
  const Surroundings& surroundings_;
};

}  // namespace sealift::cli
