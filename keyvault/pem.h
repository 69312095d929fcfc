// PEM text (RFC 7468), as OpenSSL, Sealift and Windows tools write it.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "keyvault/secret.h"

namespace sealift::keyvault {

struct PemBlock {
  std::string label;   ///< "PUBLIC KEY", "ENCRYPTED PRIVATE KEY", ...
  std::string header;  ///< "Proc-Type: 4,ENCRYPTED ..." of old files; mostly empty.
  Secret der;          ///< What is between the lines.
};

/// The one PEM block of `text`; words before and after it are ignored.
/// errors  kUsage: there is none, or more than one: which is meant cannot be known.
base::Result<PemBlock> read_pem(base::ByteView text);

/// Lines of 64 characters, each ended by a line feed. Not for secrets.
std::string write_pem(const char* label, base::ByteView der);

}  // namespace sealift::keyvault
