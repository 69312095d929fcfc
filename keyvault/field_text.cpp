#include "keyvault/field_text.h"

#include "base/utf16.h"

namespace sealift::keyvault {

namespace {

constexpr std::string_view kUtf8Mark = "\xef\xbb\xbf";
constexpr std::string_view kUtf16BigMark = "\xfe\xff";
constexpr std::string_view kUtf16LittleMark = "\xff\xfe";

}  // namespace

base::Result<std::string> read_field_text(base::ByteView bytes) {
  const std::string_view text = base::as_text(bytes);
  if (text.starts_with(kUtf16BigMark)) {
    return base::utf8_of_utf16(bytes.subspan(kUtf16BigMark.size()), std::endian::big);
  }
  if (text.starts_with(kUtf16LittleMark)) {
    return base::utf8_of_utf16(bytes.subspan(kUtf16LittleMark.size()),
                               std::endian::little);
  }
  return std::string(text.starts_with(kUtf8Mark) ? text.substr(kUtf8Mark.size())
                                                 : text);
}

}  // namespace sealift::keyvault
