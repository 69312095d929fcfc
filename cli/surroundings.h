// What a run of the program may use of the process around it.
#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/timestamp.h"
#include "keyvault/secret.h"

namespace sealift::cli {

/// The person at the keyboard. One thread at a time.
class Terminal {
 public:
  virtual ~Terminal() = default;

  /// Shows `question` and reads one line, without its line end.
  /// errors  kInterrupted, kIo: no answer came.
  virtual base::Result<std::string> ask(const std::string& question) = 0;

  /// The same, and the answer is not shown. errors  as ask().
  virtual base::Result<keyvault::Secret> ask_secret(const std::string& question) = 0;
};

/// Whether standard error is a screen whose last line can be written again.
enum class Screen { kNone, kLive };

/// main() fills it from the process; a test gives what it likes. Nothing below main()
/// looks at an environment variable, a clock or a terminal in another way.
struct Surroundings {
  std::ostream& output;
  std::ostream& error;
  /// The value of an environment variable; one that is empty counts as not set.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  Terminal* terminal = nullptr;  ///< Null: nobody can be asked.
  Screen screen = Screen::kNone;
  const base::Clock& clock;
  std::string host;  ///< This host's name.
  std::stop_token stop;
  /// Whether nobody reads `output` any more: what is written there fails, and rightly
  /// so.
  std::function<bool()> is_reader_gone = [] { return false; };
};

}  // namespace sealift::cli
