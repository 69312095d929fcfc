// A signer's public key in a file that the operator names.
#pragma once

#include <string>

#include "base/result.h"
#include "keyvault/signer.h"

namespace sealift::cli {

/// errors  As base::read_file().  kUsage: no such key is in it.
base::Result<keyvault::SignerPublicKey> read_signer(const std::string& file);

}  // namespace sealift::cli
