#include "base/base64.h"

#include "tests/support/catch.h"

using namespace sealift;
using base::from_base64;
using base::to_base64;

TEST_CASE("base64 is as RFC 4648 prints it", "[base]") {
  struct Example {
    std::string plain;
    std::string text;
  };
  // RFC 4648, section 10.
  const Example example = GENERATE(values<Example>({{"", ""},
                                                    {"f", "Zg=="},
                                                    {"fo", "Zm8="},
                                                    {"foo", "Zm9v"},
                                                    {"foob", "Zm9vYg=="},
                                                    {"fooba", "Zm9vYmE="},
                                                    {"foobar", "Zm9vYmFy"}}));
  CHECK(to_base64(base::as_bytes(example.plain)) == example.text);
  CHECK(base::as_text(from_base64(example.text).value()) == example.plain);
}

TEST_CASE("base64 has one form only", "[base]") {
  const std::string text =
      GENERATE("Zg=", "Zg", "Zh==", "Zm9=", "Zg==\n",
               "Z===", "====", "Zm9v====", "Z g=", "Zg==Zg==", "Zm9\xff", "Zm-_");
  CAPTURE(text);
  REQUIRE_FALSE(from_base64(text));
  CHECK(from_base64(text).error().code() == base::ErrorCode::kCorrupt);
}
