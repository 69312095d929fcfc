#include "vm/base64.h"

#include "base/base64.h"

namespace sealift::vm {

base::Result<keyvault::Secret> decode_base64(const keyvault::Secret& text) {
  std::string_view digits = base::as_text(text.view());
  const std::size_t end = digits.find_last_not_of("\r\n\t ");
  digits = digits.substr(0, end == std::string_view::npos ? 0 : end + 1);
  ASSIGN_OR_RETURN(keyvault::Secret value,
                   keyvault::Secret::allocate(base::decoded_base64_size(digits)));
  RETURN_IF_ERROR(base::decode_base64(digits, value.writable()));
  return value;
}

}  // namespace sealift::vm
