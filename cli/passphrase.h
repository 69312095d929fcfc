// Where the passphrase of a recovery key comes from.
#pragma once

#include <optional>

#include "cli/session.h"
#include "keyvault/recovery_key.h"

namespace sealift::cli {

/// For opening `key`: the file of --passphrase-file, else the terminal, else kWrongKey
/// at once: nothing ever waits for somebody who is not there. The session outlives it.
keyvault::PassphraseSource passphrase_source(const Session& session,
                                             const std::filesystem::path& key);

/// For a new key: the file of --passphrase-file ("-": asked twice on the terminal), or
/// none.
/// errors  kWrongKey: no terminal, or two answers that differ.  As reading the file.
base::Result<std::optional<keyvault::Secret>> new_passphrase(const Session& session);

}  // namespace sealift::cli
