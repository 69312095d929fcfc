// The program without its process: from words to an exit status.
#pragma once

#include <string>
#include <vector>

#include "cli/surroundings.h"

namespace sealift::cli {

/// Runs one command line (without the program's name) and returns the exit status of
/// docs/exit-status.md. Everything is said by then, on the streams of `surroundings`.
int run(const std::vector<std::string>& arguments, const Surroundings& surroundings);

}  // namespace sealift::cli
