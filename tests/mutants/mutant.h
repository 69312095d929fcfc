// Included before every source of the mutated tree.
//
// SEALIFT_MUTANT=NUMBER      the mutant that this process runs
// SEALIFT_MUTANTS_MET=FILE   gets the number of every mutant that the process comes by
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

inline bool sealift_mutant(int number) {
  static const int chosen = [] {
    const char* said = std::getenv("SEALIFT_MUTANT");
    return said == nullptr ? -1 : std::atoi(said);
  }();
  static const int met = [] {
    const char* file = std::getenv("SEALIFT_MUTANTS_MET");
    return file == nullptr
               ? -1
               : ::open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }();
  static std::array<std::atomic<bool>, 4096> is_met{};
  if (met >= 0 && !is_met.at(static_cast<unsigned>(number)).exchange(true)) {
    const std::string line = std::to_string(number) + "\n";
    static_cast<void>(::write(met, line.data(), line.size()));
  }
  return chosen == number;
}
