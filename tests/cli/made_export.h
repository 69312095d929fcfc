// Exports and keys as tests/integration/hyperv_export.py makes them, which reads
// docs/format alone.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/subprocess.h"
#include "tests/support/catch.h"

namespace sealift::cli {

inline void must_run(const std::vector<std::string>& words) {
  const auto done = base::run_program(words, std::chrono::seconds(60));
  REQUIRE(done);
  INFO(words.front() << ": " << done->output << done->error_output);
  REQUIRE(done->exit_status == 0);
}

inline void make(std::vector<std::string> words) {
  words.insert(words.begin(), {"/usr/bin/python3", SEALIFT_SOURCE_DIR
                               "/tests/integration/hyperv_export.py"});
  must_run(words);
}

}  // namespace sealift::cli
