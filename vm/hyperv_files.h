// What lies in a Hyper-V export, file by file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/lower_case.h"
#include "base/result.h"
#include "base/strict_json.h"
#include "vm/file_source.h"
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

/// Of a .VMRS.
struct SavedState {
  bool has_memory = false;
};

struct InspectedFile {
  std::filesystem::path path;
  FileStamp stamp;   ///< Taken before it was read.
  std::string type;  ///< "hyperv-configuration", "hyperv-runtime-state", "vmgs",
                     ///< "vhdx", "wrapped-key" (by its name one, if it is refused),
                     ///< "refused".
  std::vector<FileFact> facts;  ///< Never a secret.
  std::variant<std::monostate, HypervConfiguration, SavedState, Vmgs, Vhdx> content;
  std::optional<base::Error> refused;  ///< Why it could not be read.
  bool has_waiting_changes = false;    ///< Of a key-value file: in its replay log.
};

/// Reads one file of a Hyper-V VM, known by what it holds and not by its name.
/// errors  kNotFound, kRefused, kIo.  kRefused: it is none of these.  kCorrupt,
///         kUnsupported: the rules of its page in docs/format/.
base::Result<InspectedFile> inspect_hyperv_file(const std::filesystem::path& path);

/// The same; a file that cannot be read says why.
InspectedFile inspect_or_refuse(const std::filesystem::path& path);

/// As far as names of files are compared here.
using base::lower_case;

/// Every file below `folder` whose name ends as those of a Hyper-V VM do (.vmcx, .vmrs,
/// .vmgs, .vhdx, .avhdx, of either case), and every exported key (.json), in the order
/// of their names.
///
/// errors  kNotFound: none.  kRefused: more than 10,000 files, or folders more than 16
///         deep.  kIo.
base::Result<std::vector<std::filesystem::path>> list_hyperv_files(
    const std::filesystem::path& folder);

/// Whether a file is named as the key of a VM, "VM-id_256.json", of any number of bits.
bool is_named_as_key(const std::filesystem::path& path);

/// Whether a file is an exported key: named as one, whatever it holds, or of its form.
bool is_exported_key(const std::filesystem::path& path);

/// Every .json file below `folder`, whatever it holds.
/// errors  kNotFound: none.  kRefused: more than 1,000,000 files, or folders more than
///         16 deep.  kIo.
base::Result<std::vector<std::filesystem::path>> list_key_files(
    const std::filesystem::path& folder);

}  // namespace sealift::vm
