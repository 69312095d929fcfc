// Programs that a test needs and does not test.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/subprocess.h"
#include "tests/support/catch.h"

namespace sealift::support {

/// Fails the test with the program's words unless it ends with 0 within a minute.
inline void must_run(const std::vector<std::string>& words) {
  const auto done = base::run_program(words, std::chrono::seconds(60));
  REQUIRE(done);
  INFO(words.front() << ": " << done->output << done->error_output);
  REQUIRE(done->exit_status == 0);
}

}  // namespace sealift::support
