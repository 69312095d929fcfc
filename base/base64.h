// Base64 as our texts carry bytes: RFC 4648, section 4, with padding, in one form only.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace sealift::base {

std::string to_base64(ByteView bytes);

/// Accepts exactly what to_base64() writes: no line breaks, no missing padding, no
/// stray bits in the last digit.
/// errors  kCorrupt: any other text.
Result<Bytes> from_base64(std::string_view text);

/// The same into memory of the caller, for what must lie nowhere else.
/// bytes  decoded_base64_size(text) bytes; half written on an error.
Status decode_base64(std::string_view text, std::span<std::byte> bytes);
std::size_t decoded_base64_size(std::string_view text);

}  // namespace sealift::base
