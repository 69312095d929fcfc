// Base64 for URLs with padding, as Go's base64.URLEncoding has it (RFC 4648, 5).
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::keyvault {

std::string to_base64url(base::ByteView bytes);

/// CR and LF are skipped, as Go does.
/// errors  kCorrupt: a character of another alphabet, missing padding, or bits that a
///         re-encoding would change.
base::Result<base::Bytes> from_base64url(std::string_view text);

}  // namespace sealift::keyvault
