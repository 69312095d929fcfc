// What a capture has done to a VM so far: what has to be undone.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/uuid.h"

namespace sealift::vm {

/// A disk whose writes go to a file of ours while its image is read.
struct Overlay {
  std::string target;  ///< "vda".
  std::filesystem::path path;
  std::filesystem::path base;
};

/// Sent whole to the guard before each step, so that it names what may be there, not
/// what is: each thing may be missing, or be there already.
struct CaptureTraces {
  bool is_paused = false;      ///< By us.
  std::filesystem::path mark;  ///< A file that is there while we hold the VM still.
  bool is_frozen = false;      ///< Its file systems, by its agent, asked by us.
  std::filesystem::path frozen_mark;  ///< There while they may be.
  std::filesystem::path socket;
  std::vector<std::filesystem::path> scratch_files;
  std::string checkpoint;
  std::vector<Overlay> overlays;
};

}  // namespace sealift::vm
