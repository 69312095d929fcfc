// Running another program without a shell.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace sealift::base {

struct ProgramOutput {
  int exit_status = 0;       ///< 128 + signal number when a signal ended it.
  std::string output;        ///< Standard output, at most 4 MiB.
  std::string error_output;  ///< Standard error, at most 64 KiB.
};

/// Runs `arguments[0]` (looked up in PATH) with the rest as its arguments, no standard
/// input, LC_ALL=C, and no open file but the three standard ones. A secret is never
/// among the arguments.
///
/// errors  kNotFound: there is no such program.  kIo: it could not be run, or ran
///         longer than `limit` and was killed.
Result<ProgramOutput> run_program(const std::vector<std::string>& arguments,
                                  std::chrono::seconds limit);

}  // namespace sealift::base
