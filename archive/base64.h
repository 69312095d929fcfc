// Base64 as our texts carry bytes: RFC 4648, section 4, with padding, in one form only.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::archive {

std::string to_base64(base::ByteView bytes);

/// Accepts exactly what to_base64() writes: no line breaks, no missing padding, no
/// stray bits in the last digit.
/// errors  kCorrupt: any other text.
base::Result<base::Bytes> from_base64(std::string_view text);

}  // namespace sealift::archive
