// Text as Windows stores it.
#pragma once

#include <bit>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::base {

/// UTF-16 without a byte order mark (RFC 2781, 2.2), as UTF-8.
/// errors  kCorrupt: half a unit, or half a surrogate pair.
Result<std::string> utf8_of_utf16(ByteView bytes, std::endian order);

}  // namespace sealift::base
