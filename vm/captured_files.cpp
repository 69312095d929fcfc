#include "vm/captured_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/byte_count.h"
#include "base/filesystem.h"
#include "vm/domain_xml.h"
#include "vm/xml.h"

namespace sealift::vm {

namespace {

constexpr std::uint64_t kNvramLimit = 64 * base::kMiB;
constexpr std::uint64_t kStateLimit = 16 * base::kMiB;
constexpr std::string_view kPermanentState = "tpm2-00.permall";
constexpr std::uint64_t kLogLimit = 64 * base::kMiB;
constexpr const char* kLogFolder = "/var/log/libvirt/qemu";
constexpr std::string_view kLockName = ".lock";
// What swtpm writes before it renames it to a state file.
constexpr std::string_view kUnfinishedPrefix = "TMP";

base::Error is_missing(std::string what, const char* kind, const char* component,
                       const std::filesystem::path& path) {
  return base::Error(base::ErrorCode::kRefused, std::move(what))
      .at(kind, path.string())
      .at("component", component)
      .next("bring it back, or restore the VM from an earlier snapshot")
      .next(kBackUpTheRest);
}

base::Result<CapturedFile> read_one(const std::filesystem::path& path, const char* kind,
                                    std::uint64_t limit) {
  auto content = base::read_file(path, limit);
  if (!content) {
    if (content.error().code() != base::ErrorCode::kNotFound) {
      return std::move(content).error().at("component", kind);
    }
    return is_missing("a file of the VM is missing", "file", kind, path);
  }
  CapturedFile file;
  file.kind = kind;
  file.name = component_name(path);
  file.path = path;
  file.content = std::move(content).value();
  return file;
}

base::Result<std::vector<std::filesystem::path>> list_state(
    const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code failure;
  std::filesystem::directory_iterator entries(folder, failure);
  for (; !failure && entries != std::filesystem::directory_iterator();
       entries.increment(failure)) {
    struct stat found {};
    if (::lstat(entries->path().c_str(), &found) != 0) continue;  // Renamed meanwhile.
    const std::string name = entries->path().filename();
    if (S_ISREG(found.st_mode) && name != kLockName &&
        !name.starts_with(kUnfinishedPrefix)) {
      paths.push_back(entries->path());
    }
  }
  if (failure && failure != std::errc::no_such_file_or_directory) {
    return base::system_error(failure.value(), "cannot read the vTPM state")
        .at("folder", folder.string())
        .at("component", "guest-state");
  }
  std::ranges::sort(paths);
  return paths;
}

base::Result<std::vector<CapturedFile>> read_guest_state(
    const std::filesystem::path& folder, bool was_started) {
  ASSIGN_OR_RETURN(const auto paths, list_state(folder));
  const auto is_permanent = [](const std::filesystem::path& path) {
    return path.filename() == kPermanentState;
  };
  if (std::ranges::none_of(paths, is_permanent) && (was_started || !paths.empty())) {
    return is_missing("the VM has a vTPM and its state is missing", "folder",
                      "guest-state", folder);
  }
  std::vector<CapturedFile> files;
  for (const auto& path : paths) {
    ASSIGN_OR_RETURN(CapturedFile file, read_one(path, "guest-state", kStateLimit));
    files.push_back(std::move(file));
  }
  return files;
}

// Moves what was read into `state`; what cannot be read fails, or is recorded.
base::Status take(base::Result<std::vector<CapturedFile>> read, const char* component,
                  Missing missing, StateFiles& state) {
  if (read) {
    std::ranges::move(read.value(), std::back_inserter(state.files));
    return base::Done{};
  }
  if (missing == Missing::kFails) return std::move(read).error();
  state.missing.push_back({component, read.error().what()});
  return base::Done{};
}

base::Result<std::vector<CapturedFile>> read_nvram(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(CapturedFile file, read_one(path, "firmware-vars", kNvramLimit));
  std::vector<CapturedFile> files;
  files.push_back(std::move(file));
  return files;
}

base::Result<CapturedFile> read_definition(const Domain& domain, unsigned flags,
                                           std::string name) {
  const Text xml(virDomainGetXMLDesc(domain.get(), flags | VIR_DOMAIN_XML_SECURE));
  if (!xml) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot read the VM's definition");
  }
  const base::ByteView bytes = base::as_bytes(xml.get());
  CapturedFile file;
  file.kind = "config";
  file.name = std::move(name);
  file.content.assign(bytes.begin(), bytes.end());
  return file;
}

}  // namespace

std::string component_name(const std::filesystem::path& path) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  std::string name = path.filename().string();
  for (char& c : name) {
    if (kAllowed.find(c) == std::string_view::npos) c = '_';
  }
  return name;
}

bool is_named_in(const std::filesystem::path& log, const std::filesystem::path& path) {
  const auto content = base::read_file(log, kLogLimit);
  return content &&
         base::as_text(content.value()).find(path.string()) != std::string_view::npos;
}

base::Result<StateFiles> read_state_files(const VmDescription& vm, Missing missing) {
  StateFiles state;
  bool was_started = !vm.active_xml.empty() || vm.managed_save;
  const auto log = std::filesystem::path(kLogFolder) / (vm.name + ".log");
  if (vm.vtpm) {
    const std::filesystem::path& folder = vm.vtpm->state_directory;
    was_started = was_started || is_named_in(log, folder);
    RETURN_IF_ERROR(
        take(read_guest_state(folder, was_started), "guest-state", missing, state));
    was_started = was_started || !state.files.empty() || !state.missing.empty();
  }
  if (!vm.firmware || vm.firmware->nvram.empty()) return state;
  // libvirt makes it at the first start.
  std::error_code ignored;
  const std::filesystem::path& nvram = vm.firmware->nvram;
  if (was_started || std::filesystem::exists(nvram, ignored) ||
      is_named_in(log, nvram)) {
    RETURN_IF_ERROR(take(read_nvram(nvram), "firmware-vars", missing, state));
  }
  return state;
}

base::Result<std::vector<CapturedFile>> read_definitions(const Domain& domain) {
  std::vector<CapturedFile> files;
  ASSIGN_OR_RETURN(CapturedFile inactive,
                   read_definition(domain, VIR_DOMAIN_XML_INACTIVE, "domain.xml"));
  files.push_back(std::move(inactive));
  if (virDomainIsActive(domain.get()) == 1) {
    ASSIGN_OR_RETURN(CapturedFile active,
                     read_definition(domain, 0, "domain-active.xml"));
    files.push_back(std::move(active));
  }
  return files;
}

namespace {

// By target; of a volume its names, which stand there instead of a path.
base::Result<std::map<std::string, std::string>> images_in(const std::string& xml) {
  ASSIGN_OR_RETURN(const DomainFacts facts, read_domain_xml(xml, Missing::kRecorded));
  std::map<std::string, std::string> images;
  for (const Disk& disk : facts.vm.disks) images[disk.target] = disk.path.string();
  for (const auto& [target, volume] : facts.volumes) {
    images[target] = volume.pool + "/" + volume.volume;
  }
  for (const auto& [target, reason] : facts.vm.unread_disks) images[target];
  return images;
}

}  // namespace

base::Status check_disks_are(const VmDescription& vm,
                             const std::vector<CapturedFile>& files) {
  const auto active =
      std::ranges::find(files, "domain-active.xml", &CapturedFile::name);
  if (active == files.end()) {
    return base::Error(base::ErrorCode::kHypervisor, "the VM stopped meanwhile");
  }
  const std::string_view now = base::as_text(active->content);
  ASSIGN_OR_RETURN(const auto were, images_in(vm.active_xml));
  ASSIGN_OR_RETURN(const auto are, images_in(std::string(now)));
  if (are == were) return base::Done{};
  return base::Error(base::ErrorCode::kBusy, "a disk was plugged in or out meanwhile")
      .next("run this again");
}

}  // namespace sealift::vm
