// The recovery key that Azure Local's keys are wrapped to: --key-identity.
#pragma once

#include <optional>

#include "cli/command.h"
#include "cli/session.h"
#include "keyvault/recovery_key.h"

namespace sealift::cli {

/// --key-identity and --key-passphrase-file.
void add_key_identity_options(boost::program_options::options_description& described);

/// None if it is not named. Its passphrase comes from --key-passphrase-file, else as
/// that of --identity: from --passphrase-file, else from the terminal.
/// errors  kUsage: --key-passphrase-file alone.  As keyvault::RecoveryKey::load().
base::Result<std::optional<keyvault::RecoveryKey>> load_key_identity(
    const Session& session, const Values& values);

}  // namespace sealift::cli
