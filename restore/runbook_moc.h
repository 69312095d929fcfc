// The commands for the key vault of Azure Local (MOC), as the runbook prints them. They
// use its variables: $group, $vault, $wrap, $escrow.
#pragma once

#include <string>
#include <vector>

namespace sealift::restore::runbook {

/// A key as commands speak of it: `$keyName`, or a name that is safe as it stands.
struct MocKey {
  std::string name;
  std::string type;
  unsigned size = 0;
};

/// What sets $group and $vault.
inline constexpr const char* kSetGroup = "$group   = 'AzureStackHostAttestation'";
inline constexpr const char* kSetVault = "$vault   = 'AzureStackTvmKeyVault'";

std::string get_keys();
std::string remove_key(const std::string& name);
std::string export_key(const MocKey& key, const std::string& file);
std::string import_key(const MocKey& key, const std::string& file);

/// One block, pasted and run as a whole, that removes the key only when this very
/// export has made `copy`, a PowerShell text; then does what `then` says.
std::vector<std::string> remove_key_keeping(const std::string& copy, const MocKey& key,
                                            const std::vector<std::string>& then = {});

std::string new_wrapping_key();

/// Its public half, to C:\Temp\sealift-wrap.pem.
std::string get_wrapping_key();

}  // namespace sealift::restore::runbook
