// What lies in a Hyper-V export, file by file.
#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/strict_json.h"
#include "vm/hyperv_configuration.h"
#include "vm/vhdx.h"
#include "vm/vmgs.h"

namespace sealift::vm {

/// One thing that a file says: for a script, and for a person.
struct FileFact {
  std::string name;   ///< "sequence"; a member of the JSON answer.
  std::string words;  ///< What a person reads before `text`: "header sequence".
  std::string text;   ///< For a person.
  base::Json value;   ///< For a script.
};

struct InspectedFile {
  std::filesystem::path path;
  std::string type;  ///< "hyperv-configuration", "hyperv-runtime-state", "vmgs",
                     ///< "vhdx", "wrapped-key".
  std::vector<FileFact> facts;  ///< Never a secret.
  std::variant<std::monostate, HypervConfiguration, Vmgs, Vhdx> content;
  std::vector<std::string>
      remarks;  ///< What is odd, or missing; compare_hyperv_files().
};

/// Reads one file of a Hyper-V VM, known by what it holds and not by its name.
/// errors  kNotFound, kRefused, kIo.  kRefused: it is none of these.  kCorrupt,
///         kUnsupported: the rules of its page in docs/format/.
base::Result<InspectedFile> inspect_hyperv_file(const std::filesystem::path& path);

/// What the files of one export say of each other: adds to each what it lacks there,
/// what contradicts it, and the file that a disk hangs on. Files are found by their
/// names, whatever the case: the paths of the source are not paths here.
void compare_hyperv_files(std::vector<InspectedFile>& files);

/// Every file below `folder` whose name ends as those of a Hyper-V VM do (.vmcx, .vmrs,
/// .vmgs, .vhdx, .avhdx, of either case), and every exported key (.json), in the order
/// of their names.
///
/// errors  kNotFound: none.  kRefused: more than 10,000 files, or folders more than 16
///         deep.  kIo.
base::Result<std::vector<std::filesystem::path>> list_hyperv_files(
    const std::filesystem::path& folder);

}  // namespace sealift::vm
