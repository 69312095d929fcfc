// The protection key of a VM: read, proved to open its guest state, wrapped, wiped.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "archive/archive_writer.h"
#include "vm/capture.h"
#include "vm/vtpm_secret.h"

namespace sealift::backup {

/// What is known of the guest state and its key at the end of a capture.
struct Protection {
  std::vector<archive::ProtectionKeyFile> files;  ///< One per recipient, or none.
  archive::Verdict guest_state;
  archive::Verdict protection_key;
  std::vector<std::string> warnings;
};

/// Proves `secret` against every vTPM state file among `files` and wraps it to each of
/// `recipients`. Without a secret the state must be unencrypted, or there must be none.
///
/// errors  kRefused: the key does not open the state just copied, or the state is
///         encrypted and no key is known.  kCorrupt: the state file is malformed.
base::Result<Protection> protect(const vm::VmDescription& description,
                                 const std::vector<vm::CapturedFile>& files,
                                 const std::optional<vm::VtpmSecret>& secret,
                                 const std::vector<keyvault::Recipient>& recipients);

}  // namespace sealift::backup
