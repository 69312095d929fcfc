#include "keyvault/openssl_handle.h"

#include <array>
#include <stdexcept>

namespace sealift::keyvault {

std::string take_openssl_error() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no OpenSSL error was queued";
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

void require(int outcome) {
  if (outcome != 1) throw std::runtime_error("OpenSSL: " + take_openssl_error());
}

}  // namespace sealift::keyvault
