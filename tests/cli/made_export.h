// Exports and keys as tests/integration/hyperv_export.py makes them, which reads
// docs/format alone.
#pragma once

#include <string>
#include <vector>

#include "tests/support/must_run.h"

namespace sealift::cli {

using support::must_run;

inline void make(std::vector<std::string> words) {
  words.insert(words.begin(), {"/usr/bin/python3", SEALIFT_SOURCE_DIR
                               "/tests/integration/hyperv_export.py"});
  must_run(words);
}

}  // namespace sealift::cli
