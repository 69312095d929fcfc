// The versions of what a VM runs on, for the manifest.
#include <chrono>
#include <sstream>

#include "base/subprocess.h"
#include "vm/connection.h"

namespace sealift::vm {

namespace {

constexpr auto kProgramLimit = std::chrono::seconds(10);

// libvirt writes 7.2.22 as 7002022.
std::string dotted(unsigned long number) {
  return std::to_string(number / 1000000) + "." + std::to_string(number / 1000 % 1000) +
         "." + std::to_string(number % 1000);
}

std::string output_of(const std::vector<std::string>& arguments) {
  const auto run = base::run_program(arguments, kProgramLimit);
  return run && run->exit_status == 0 ? run->output : std::string();
}

// "TPM emulator version 0.7.1, Copyright (c) 2014-2022 IBM Corp. and others"
std::string swtpm_version() {
  std::istringstream words(output_of({"swtpm", "--version"}));
  std::string word;
  while (words >> word) {
    if (word != "version") continue;
    words >> word;
    while (word.ends_with(',')) word.pop_back();
    return word;
  }
  return {};
}

std::string package_version(const std::string& package) {
  std::string version =
      output_of({"dpkg-query", "--show", "--showformat=${Version}", package});
  while (version.ends_with('\n')) version.pop_back();
  return version;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> host_versions(
    const Connection& connection) {
  std::vector<std::pair<std::string, std::string>> versions;
  const auto add = [&](const char* program, std::string version) {
    if (!version.empty()) versions.emplace_back(program, std::move(version));
  };
  unsigned long number = 0;
  if (virConnectGetLibVersion(connection.get(), &number) == 0) {
    add("libvirt", dotted(number));
  }
  if (virConnectGetVersion(connection.get(), &number) == 0) add("qemu", dotted(number));
  add("swtpm", swtpm_version());
  add("libtpms", package_version("libtpms0"));
  add("ovmf", package_version("ovmf"));
  return versions;
}

}  // namespace sealift::vm
