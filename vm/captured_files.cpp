#include "vm/captured_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/byte_count.h"
#include "base/filesystem.h"
#include "vm/xml.h"

namespace sealift::vm {

namespace {

constexpr std::uint64_t kNvramLimit = 64 * base::kMiB;
constexpr std::uint64_t kStateLimit = 16 * base::kMiB;
constexpr std::string_view kLockName = ".lock";
// What swtpm writes before it renames it to a state file.
constexpr std::string_view kUnfinishedPrefix = "TMP";

// A component's name has these characters only (docs/format/manifest.md); a file's may
// have any. The whole path stands in the definition, which is kept too.
std::string component_name(const std::filesystem::path& path) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  std::string name = path.filename().string();
  for (char& c : name) {
    if (kAllowed.find(c) == std::string_view::npos) c = '_';
  }
  return name;
}

base::Result<CapturedFile> read_one(const std::filesystem::path& path,
                                    std::string_view kind, std::uint64_t limit) {
  auto content = base::read_file(path, limit);
  if (!content) {
    base::Error error = std::move(content).error();
    if (error.code() == base::ErrorCode::kNotFound) {
      error = base::Error(base::ErrorCode::kIo, "a file of the VM is missing")
                  .at("file", path.string());
    }
    return std::move(error).at("component", kind);
  }
  CapturedFile file;
  file.kind = kind;
  file.name = component_name(path);
  file.path = path;
  file.content = std::move(content).value();
  return file;
}

base::Result<std::vector<std::filesystem::path>> list_state(const VmDescription& vm) {
  const std::filesystem::path& folder = vm.vtpm->state_directory;
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
  const bool is_missing = failure == std::errc::no_such_file_or_directory;
  if (is_missing && vm.active_xml.empty()) return paths;
  if (failure) {
    return base::system_error(failure.value(), is_missing
                                                   ? "the VM has a vTPM and its state "
                                                     "is missing"
                                                   : "cannot read the vTPM state")
        .at("folder", folder.string())
        .at("component", "guest-state");
  }
  if (paths.empty() && !vm.active_xml.empty()) {
    return base::Error(base::ErrorCode::kIo,
                       "the VM has a vTPM and its state is missing")
        .at("folder", folder.string())
        .at("component", "guest-state");
  }
  std::ranges::sort(paths);
  return paths;
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

base::Result<std::vector<CapturedFile>> read_state_files(const VmDescription& vm) {
  std::vector<CapturedFile> states;
  if (vm.vtpm) {
    ASSIGN_OR_RETURN(const auto paths, list_state(vm));
    for (const auto& path : paths) {
      ASSIGN_OR_RETURN(CapturedFile state, read_one(path, "guest-state", kStateLimit));
      states.push_back(std::move(state));
    }
  }
  if (!vm.firmware || vm.firmware->nvram.empty()) return states;
  // Of a VM that was never started libvirt has made neither NVRAM nor vTPM state.
  const bool was_started = !vm.active_xml.empty() || !states.empty();
  std::error_code ignored;
  if (was_started || std::filesystem::exists(vm.firmware->nvram, ignored)) {
    ASSIGN_OR_RETURN(CapturedFile nvram,
                     read_one(vm.firmware->nvram, "firmware-vars", kNvramLimit));
    states.push_back(std::move(nvram));
  }
  return states;
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

}  // namespace sealift::vm
