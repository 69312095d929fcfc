// The terminal that the program was started from.
#pragma once

#include <memory>

#include "cli/surroundings.h"

namespace sealift::cli {

/// Null when standard input is no terminal: whoever started the program cannot be
/// asked. Answers are waited for until `stop`.
std::unique_ptr<Terminal> open_terminal(std::stop_token stop);

}  // namespace sealift::cli
