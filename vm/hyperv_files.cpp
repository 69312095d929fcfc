#include "vm/hyperv_files.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/byte_count.h"
#include "base/uuid.h"
#include "keyvault/field_text.h"
#include "keyvault/key_fit.h"
#include "vm/guest_state_protection.h"

namespace sealift::vm {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kVhdxBegins = "vhdxfile";
constexpr std::string_view kStorageBegins = "\x14\x20\x28\x01";
constexpr std::string_view kKeyJsonHolds = "\"private-key-wrapping-info\"";
constexpr std::uint64_t kLargestKeyJson = base::kMiB;
constexpr int kDeepest = 16;
constexpr const char* kAgain =
    "copy it again from where it was exported, or export the VM again";

/// What is looked for below a folder.
struct Search {
  std::size_t most_files;
  const char* too_many;  ///< "it holds more than 10,000 files".
  const char* no_such;   ///< What a folder is not that is larger.
  const char* smaller;   ///< What to name in its place.
  const char* none;      ///< Nothing was found.
};
constexpr Search kExportFiles{10'000, "it holds more than 10,000 files",
                              "the folder is no Hyper-V export",
                              "name the folder of one VM, or of a few",
                              "no file of a Hyper-V VM lies in the folder"};
// Years of nightly exports of every key.
constexpr Search kKeyFiles{1'000'000, "it holds more than 1,000,000 files",
                           "the folder is too large to look for keys in",
                           "name the folder that the keys were exported to",
                           "no exported key lies in the folder"};

class Facts {
 public:
  void add(std::string name, std::string words, std::string text, base::Json value) {
    facts_.push_back(
        {std::move(name), std::move(words), std::move(text), std::move(value)});
  }
  void add(std::string name, std::string words, const std::string& text) {
    add(std::move(name), std::move(words), text, text);
  }
  void add(std::string name, std::string words, bool value) {
    add(std::move(name), std::move(words), value ? "yes" : "no", value);
  }
  void add_size(std::string name, std::string words, std::uint64_t bytes) {
    add(std::move(name), std::move(words), base::ByteCount(bytes).text(), bytes);
  }
  void add_number(std::string name, std::string words, std::int64_t number) {
    add(std::move(name), std::move(words), std::to_string(number), number);
  }
  std::vector<FileFact> take() { return std::move(facts_); }

 private:
  std::vector<FileFact> facts_;
};

void describe_drives(const std::vector<HypervDrive>& drives, Facts& facts) {
  base::Json list = base::Json::array();
  std::string text;
  for (const HypervDrive& drive : drives) {
    list.push_back({{"controller", drive.controller},
                    {"location", drive.location},
                    {"type", drive.type},
                    {"path", drive.source_path}});
    text += (text.empty() ? "" : ", ") + std::string(name_in_path(drive.source_path)) +
            " (" + drive.type + ")";
  }
  facts.add("drives", "drives", text.empty() ? "none" : text, std::move(list));
}

Facts facts_of(const HypervConfiguration& vm) {
  Facts facts;
  facts.add("vm_id", "VM id", vm.id.text());
  facts.add("name", "VM name", vm.name);
  if (vm.version) {
    facts.add("version", "configuration version", configuration_version(*vm.version));
  }
  facts.add_number("generation", "generation", vm.generation);
  if (vm.has_secure_boot) {
    facts.add("secure_boot", "secure boot", *vm.has_secure_boot);
  }
  if (vm.bios_id) facts.add("bios_id", "BIOS GUID", vm.bios_id->text());
  facts.add("guest_state", "guest state",
            vm.guest_state_path.empty()
                ? "none named"
                : std::string(name_in_path(vm.guest_state_path)),
            vm.guest_state_path);
  describe_drives(vm.drives, facts);
  facts.add_number("checkpoints", "checkpoints", vm.checkpoints);
  facts.add("merge_pending", "a merge is pending", vm.is_merge_pending);
  return facts;
}

void add_waiting_changes(const InspectedFile& file, Facts& facts) {
  facts.add("waiting_changes", "its replay log has changes", file.has_waiting_changes);
}

base::Result<InspectedFile> of_storage(const base::ByteSource& file) {
  ASSIGN_OR_RETURN(const StorageKey root, read_hyperv_storage(file));
  InspectedFile inspected;
  ASSIGN_OR_RETURN(inspected.has_waiting_changes, has_waiting_changes(file));
  // Only a configuration says which VM it is of.
  if (root.find("configuration/properties/global_id") != nullptr ||
      root.find("configuration/settings/global/logical_id") != nullptr) {
    inspected.type = "hyperv-configuration";
    ASSIGN_OR_RETURN(HypervConfiguration vm, describe_hyperv(root));
    Facts facts = facts_of(vm);
    add_waiting_changes(inspected, facts);
    inspected.facts = facts.take();
    inspected.content = std::move(vm);
    return inspected;
  }
  inspected.type = "hyperv-runtime-state";
  Facts facts;
  const SavedState state{has_saved_memory(root)};
  facts.add("saved_memory", "holds the VM's memory", state.has_memory);
  add_waiting_changes(inspected, facts);
  inspected.facts = facts.take();
  inspected.content = state;
  return inspected;
}

std::string words_of(GuestStateProtection protection) {
  switch (protection) {
    case GuestStateProtection::kNone:
      return "none: whoever has the file has the vTPM";
    case GuestStateProtection::kGspKey:
      return "GspKey: the protection key of the cluster's key vault";
    case GuestStateProtection::kGspById:
      return "GspById: a seed of the host, which no key vault holds; on another "
             "cluster it does not open";
    default:
      return "encrypted, and nothing in the file says with what";
  }
}

base::Result<InspectedFile> of_vmgs(const base::ByteSource& file) {
  ASSIGN_OR_RETURN(const Vmgs vmgs, read_vmgs(file));
  InspectedFile inspected;
  inspected.type = "vmgs";
  Facts facts;
  facts.add("empty", "empty, of a VM that was never started", vmgs.is_empty);
  facts.add("footer", "has its footer", vmgs.has_footer);
  if (!vmgs.is_empty) {
    const GuestStateProtection protection = protection_of(vmgs);
    facts.add("protection", "protected by", words_of(protection), word_for(protection));
    facts.add("encrypted", "encrypted", vmgs.is_encrypted);
    facts.add_number("sequence", "header sequence", vmgs.sequence);
    facts.add("torn", "one header is damaged", vmgs.is_torn);
    facts.add("reprovisioned", "reprovisioned", vmgs.is_reprovisioned);
    if (vmgs.gsp) {
      const auto& [first, second] = vmgs.gsp->lengths;
      facts.add("gsp_lengths", "GSP bytes",
                std::to_string(first) + " and " + std::to_string(second),
                base::Json{first, second});
    }
    if (vmgs.bios_id) facts.add("bios_id", "BIOS GUID", vmgs.bios_id->text());
    base::Json list = base::Json::array();
    std::string text;
    for (const VmgsFile& part : vmgs.files) {
      list.push_back({{"number", part.number},
                      {"size", part.size},
                      {"encrypted", part.is_encrypted}});
      text += (text.empty() ? "" : ", ") + vmgs_file_name(part.number);
    }
    facts.add("files", "files", text, std::move(list));
  }
  inspected.facts = facts.take();
  inspected.content = vmgs;
  return inspected;
}

base::Result<InspectedFile> of_vhdx(const base::ByteSource& file) {
  ASSIGN_OR_RETURN(const Vhdx vhdx, read_vhdx(file));
  InspectedFile inspected;
  inspected.type = "vhdx";
  Facts facts;
  facts.add_size("virtual_size", "size of the disk", vhdx.virtual_size);
  facts.add_size("block_bytes", "of it in blocks with data", vhdx.block_bytes);
  facts.add_size("block_size", "block size", vhdx.block_size);
  facts.add_number("sector_size", "bytes of a sector", vhdx.sector_size);
  facts.add("fixed", "fixed", vhdx.is_fixed);
  facts.add("unclean_log", "its log waits to be replayed", vhdx.has_log);
  facts.add("data_write_id", "data write GUID", vhdx.data_write_id.text());
  if (vhdx.parent) {
    facts.add("parent_linkage", "data write GUID of its parent",
              vhdx.parent->linkage.text());
    facts.add("parent_path", "its parent was", vhdx.parent->source_path);
  }
  inspected.facts = facts.take();
  inspected.content = vhdx;
  return inspected;
}

bool is_key_json(const base::ByteSource& file) {
  if (file.size() > kLargestKeyJson) return false;
  const auto bytes = file.read(0, static_cast<std::size_t>(file.size()));
  if (!bytes) return false;
  const auto text = keyvault::read_field_text(bytes.value());
  return text && text->find(kKeyJsonHolds) != std::string::npos;
}

base::Result<InspectedFile> of_key_json(const fs::path& path,
                                        const base::ByteSource& file) {
  if (file.size() > kLargestKeyJson) {
    return base::Error(base::ErrorCode::kCorrupt, "too long for a key JSON");
  }
  ASSIGN_OR_RETURN(const base::Bytes text,
                   file.read(0, static_cast<std::size_t>(file.size())));
  ASSIGN_OR_RETURN(const keyvault::KeyJson json, keyvault::parse_key_json(text));
  ASSIGN_OR_RETURN(const keyvault::Recipient wrapping_key,
                   keyvault::wrapping_key_of(json));
  const std::string stem = path.stem().string();
  RETURN_IF_ERROR(keyvault::check_wrapped_key(json, wrapping_key,
                                              keyvault::expected_key(stem, json)));
  InspectedFile inspected;
  inspected.type = "wrapped-key";
  Facts facts;
  facts.add("encoding", "wrapped as", json.encoding);
  facts.add("recipient", "wrapped to", wrapping_key.id().hex());
  facts.add_number("bits", "bits of that key", wrapping_key.bits());
  facts.add("wrapping_key", "its name in the key vault",
            json.wrapping_key_name.empty() ? "none said" : json.wrapping_key_name,
            json.wrapping_key_name);
  facts.add("member", "lies in", json.member);
  facts.add_number("wrapped_bytes", "bytes, wrapped",
                   static_cast<std::int64_t>(json.wrapped.size()));
  inspected.facts = facts.take();
  return inspected;
}

base::Result<bool> has_mark_of_vmgs(const base::ByteSource& file) {
  const std::array<std::pair<std::uint64_t, std::string_view>, 4> marks{
      {{0, "GUESTRTS"},
       {512, "GUESTRTS"},
       {4096, "GUESTRTS"},
       {file.size() - std::min<std::uint64_t>(file.size(), 512), "conectix"}}};
  for (const auto& [at, mark] : marks) {
    if (!file.holds(at, mark.size())) continue;
    ASSIGN_OR_RETURN(const base::Bytes bytes, file.read(at, mark.size()));
    if (base::as_text(bytes) == mark) return true;
  }
  return false;
}

// By the end of its name; a key is told otherwise.
bool is_named_as_vm_file(const fs::path& path) {
  constexpr std::array<std::string_view, 5> kEndings{".vmcx", ".vmrs", ".vmgs", ".vhdx",
                                                     ".avhdx"};
  const std::string ending = lower_case(path.extension().string());
  return std::ranges::find(kEndings, ending) != kEndings.end();
}

base::Error no_vm_file(const fs::path& path, const base::ByteSource& file) {
  const bool is_named_so = is_named_as_vm_file(path);
  const char* cause =
      is_named_so ? "it does not begin as its name says" : "it begins like none";
  if (file.size() == 0) cause = "the file is empty";
  return base::Error(base::ErrorCode::kRefused, "no file of a Hyper-V VM")
      .because(cause)
      .next(is_named_so ? kAgain
                        : "name a .vmcx, .VMRS, .vmgs, .vhdx or .avhdx file, an "
                          "exported key, or a folder of them");
}

base::Result<InspectedFile> inspect(const fs::path& path,
                                    const base::ByteSource& file) {
  if (is_named_as_key(path)) return of_key_json(path, file);
  const std::size_t size = std::min<std::uint64_t>(file.size(), kVhdxBegins.size());
  ASSIGN_OR_RETURN(const base::Bytes begin, file.read(0, size));
  const std::string_view text = base::as_text(begin);
  if (text == kVhdxBegins) return of_vhdx(file);
  if (text.starts_with(kStorageBegins)) return of_storage(file);
  if (is_key_json(file)) return of_key_json(path, file);
  // A store that is empty, or damaged, may have no mark at its beginning.
  auto vmgs = of_vmgs(file);
  if (vmgs || vmgs.error().code() != base::ErrorCode::kCorrupt) return vmgs;
  ASSIGN_OR_RETURN(const bool has_mark, has_mark_of_vmgs(file));
  if (has_mark) return vmgs;
  return no_vm_file(path, file);
}

}  // namespace

bool is_named_as_key(const fs::path& path) {
  if (lower_case(path.extension().string()) != ".json") return false;
  const std::string stem = path.stem().string();
  const std::size_t split = stem.rfind('_');
  if (split == std::string::npos || split + 1 == stem.size()) return false;
  return stem.find_first_not_of("0123456789", split + 1) == std::string::npos &&
         base::Uuid::is_uuid(stem.substr(0, split));
}

bool is_exported_key(const fs::path& path) {
  if (is_named_as_key(path)) return true;
  const auto file = base::open_bytes(path);
  return file && is_key_json(*file.value());
}

namespace {

// By its name; of all the .json files that there may be, one that holds a key.
bool is_one(const fs::path& path) {
  if (lower_case(path.extension().string()) == ".json") return is_exported_key(path);
  return is_named_as_vm_file(path);
}

base::Result<std::vector<fs::path>> list_files(
    const fs::path& folder, const Search& search,
    const std::function<bool(const fs::path&)>& is_wanted) {
  std::vector<fs::path> found;
  std::error_code failure;
  std::size_t seen = 0;
  // Symbolic links are not followed: an export has none.
  for (auto entry = fs::recursive_directory_iterator(folder, failure);
       !failure && entry != fs::recursive_directory_iterator();
       entry.increment(failure)) {
    if (++seen > search.most_files || entry.depth() > kDeepest) {
      return base::Error(base::ErrorCode::kRefused, search.no_such)
          .at("folder", folder.string())
          .because(seen > search.most_files ? search.too_many
                                            : "its folders lie more than 16 deep")
          .next(search.smaller);
    }
    if (entry->is_regular_file(failure) && is_wanted(entry->path())) {
      found.push_back(entry->path());
    }
  }
  if (failure) {
    return base::Error(base::ErrorCode::kIo, "cannot read a folder")
        .at("folder", folder.string())
        .because(failure.message());
  }
  if (found.empty()) {
    return base::Error(base::ErrorCode::kNotFound, search.none)
        .at("folder", folder.string())
        .next("is it the right folder, and is the share mounted?");
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace

base::Result<InspectedFile> inspect_hyperv_file(const fs::path& path) {
  ASSIGN_OR_RETURN(const FileStamp stamp, stamp_of(path));
  ASSIGN_OR_RETURN(const std::unique_ptr<base::ByteSource> file,
                   base::open_bytes(path));
  auto inspected = inspect(path, *file);
  if (!inspected) {
    base::Error error = std::move(inspected).error();
    const bool is_damaged = error.code() == base::ErrorCode::kCorrupt;
    if (is_damaged && error.next_steps().empty()) error.next(kAgain);
    return std::move(error.at("file", path.string()));
  }
  inspected->path = path;
  inspected->stamp = stamp;
  return inspected;
}

InspectedFile inspect_or_refuse(const fs::path& path) {
  auto inspected = inspect_hyperv_file(path);
  if (inspected) return std::move(inspected).value();
  InspectedFile refused;
  refused.path = path;
  refused.type = is_named_as_key(path) ? "wrapped-key" : "refused";
  if (const auto stamp = stamp_of(path)) refused.stamp = stamp.value();
  refused.refused = std::move(inspected).error();
  return refused;
}

base::Result<std::vector<fs::path>> list_hyperv_files(const fs::path& folder) {
  return list_files(folder, kExportFiles, is_one);
}

base::Result<std::vector<fs::path>> list_key_files(const fs::path& folder) {
  return list_files(folder, kKeyFiles, [](const fs::path& path) {
    return lower_case(path.extension().string()) == ".json";
  });
}

}  // namespace sealift::vm
