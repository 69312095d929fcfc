#include "keyvault/base64url.h"

#include "tests/support/catch.h"

namespace sealift::keyvault {

TEST_CASE("base64 for URLs gives the texts of RFC 4648", "[keyvault][vector]") {
  // Section 10, with padding; the last row has the two digits of the URL alphabet.
  const auto [bytes, text] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff\xbf", "-_-_"},
  }));
  CHECK(to_base64url(base::as_bytes(bytes)) == text);
  CHECK(base::as_text(from_base64url(text).value()) == bytes);
}

TEST_CASE("base64 for URLs skips line ends, as Go does", "[keyvault]") {
  CHECK(base::as_text(from_base64url("Zm9v\r\nYg=\n=\r\n").value()) == "foob");
}

TEST_CASE("base64 in another form is refused", "[keyvault]") {
  const std::string text = GENERATE(as<std::string>(),  //
                                    "Zg",               // padding missing
                                    "Zg=",              // half of it missing
                                    "Zm8",              // padding missing
                                    "Z", "Z===", "=", "====",
                                    "Zg==Zg==",  // something after the end
                                    "Zg===",     // padding too long
                                    "Zh==",      // bits under the padding
                                    "Zm9=",      // the same
                                    "-_+_",      // the standard alphabet
                                    "-_/_", "Zm9v Zm9v", "Zm9v\t", "Zm9*");
  CAPTURE(text);
  const auto refused = from_base64url(text);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == base::ErrorCode::kCorrupt);
}

}  // namespace sealift::keyvault
