#include "keyvault/field_text.h"

#include "tests/support/catch.h"
#include "tests/support/hex.h"

namespace sealift::keyvault {

TEST_CASE("text from Windows tools is read as UTF-8", "[keyvault]") {
  // a, U+00E4, U+20AC, U+1D11E: one to four bytes in UTF-8.
  const std::string expected = "a\xc3\xa4\xe2\x82\xac\xf0\x9d\x84\x9e";
  SECTION("UTF-8") {
    CHECK(read_field_text(base::as_bytes(expected)).value() == expected);
  }
  SECTION("UTF-8 with a mark") {
    CHECK(read_field_text(base::as_bytes("\xef\xbb\xbf" + expected)).value() ==
          expected);
  }
  SECTION("UTF-16, little-endian") {
    CHECK(read_field_text(support::from_hex("fffe 6100 e400 ac20 34d8 1edd")).value() ==
          expected);
  }
  SECTION("UTF-16, big-endian") {
    CHECK(read_field_text(support::from_hex("feff 0061 00e4 20ac d834 dd1e")).value() ==
          expected);
  }
  SECTION("the units on both sides of the surrogates") {
    CHECK(read_field_text(support::from_hex("feff d7ff e000 ff21")).value() ==
          "\xed\x9f\xbf\xee\x80\x80\xef\xbc\xa1");
  }
  SECTION("nothing") { CHECK(read_field_text({}).value().empty()); }
}

TEST_CASE("UTF-16 that is none is refused", "[keyvault]") {
  const std::string hex = GENERATE(as<std::string>(),  //
                                   "feff 00",          // half a unit
                                   "feff d834",        // a high surrogate alone
                                   "feff d834 0061",   // followed by a letter
                                   "feff dd1e",        // a low surrogate alone
                                   "feff dd1e d834");  // the wrong way round
  CAPTURE(hex);
  CHECK(read_field_text(support::from_hex(hex)).error().code() ==
        base::ErrorCode::kCorrupt);
}

}  // namespace sealift::keyvault
