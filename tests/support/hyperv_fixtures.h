// Files that Microsoft's own code, or a generator beside it, made: they are read where
// they lie and are no part of this project.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <stdexcept>

#include "base/filesystem.h"
#include "base/subprocess.h"
#include "tests/support/scratch_folder.h"

namespace sealift::support {

/// $SEALIFT_FIXTURES, or ../shared/fixtures beside this tree; none, and a line on
/// standard output that says so, where neither is there.
inline std::optional<std::filesystem::path> hyperv_fixtures(std::string_view part) {
  const char* const named = std::getenv("SEALIFT_FIXTURES");
  std::filesystem::path folder =
      named != nullptr ? named : SEALIFT_SOURCE_DIR "/../shared/fixtures";
  folder /= part;
  const bool is_there = std::filesystem::is_directory(folder);
  std::cout << "fixtures of Hyper-V, " << part
            << (is_there ? ": read\n" : ": NOT read, the folder is not there\n");
  if (!is_there) return std::nullopt;
  return folder;
}

/// What a .gz file holds.
inline base::Bytes gunzip(const std::filesystem::path& path) {
  const ScratchFolder scratch;
  const std::filesystem::path copy = scratch.path() / "file.gz";
  std::filesystem::copy_file(path, copy);
  const auto run =
      base::run_program({"gunzip", copy.string()}, std::chrono::seconds(60));
  if (!run || run->exit_status != 0)
    throw std::runtime_error("gunzip " + path.string());
  return base::read_file(scratch.path() / "file", std::uint64_t{1} << 30U).value();
}

}  // namespace sealift::support
