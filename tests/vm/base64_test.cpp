#include "vm/base64.h"

#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

keyvault::Secret secret(std::string_view text) {
  return keyvault::Secret::copy_of(base::as_bytes(text)).value();
}

}  // namespace

TEST_CASE("base64 reads the vectors of RFC 4648, section 10", "[vm]") {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", ""},
      {"Zg==", "f"},
      {"Zm8=", "fo"},
      {"Zm9v", "foo"},
      {"Zm9vYg==", "foob"},
      {"Zm9vYmE=", "fooba"},
      {"Zm9vYmFy", "foobar"},
      {"Zm9vYmFy\n", "foobar"}};
  for (const auto& [text, value] : vectors) {
    CAPTURE(text);
    CHECK(base::as_text(decode_base64(secret(text)).value().view()) == value);
  }
  CHECK(base::to_hex(decode_base64(secret("AAr/+w==")).value().view()) == "000afffb");
}

TEST_CASE("what is not base64 is refused", "[vm]") {
  for (const char* text : {"Z", "Zg=", "Zg", "Z===", "Zm9v!A==", "Zm-v", "Z=9v"}) {
    CAPTURE(text);
    CHECK_FALSE(decode_base64(secret(text)));
  }
}

}  // namespace sealift::vm
