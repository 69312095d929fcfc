#include "keyvault/key_wrap.h"

#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"

namespace sealift::keyvault {

// RFC 5649's own examples have 192-bit wrapping keys, which this room does not take:
// the second implementation proves itself on them before it writes wraps.json.
TEST_CASE("AES-KWP wraps and unwraps as the second implementation does",
          "[keyvault][vector]") {
  for (const base::Json& row : vectors::load("wraps.json")) {
    DYNAMIC_SECTION(vectors::text(row, "name")) {
      const Secret wrapping = vectors::secret(row, "wrapping");
      const base::Bytes wrapped = vectors::bytes(row, "wrapped");
      const auto key = unwrap_key(wrapping, wrapped);

      if (vectors::text(row, "expect") == "opens") {
        REQUIRE(key);
        CHECK(vectors::copy(key->view()) == vectors::bytes(row, "key"));
        CHECK(wrap_key(wrapping, key.value()).value() == wrapped);
      } else {
        REQUIRE_FALSE(key);
        CHECK(key.error().code() == base::ErrorCode::kWrongKey);
      }
    }
  }
}

TEST_CASE("the largest key can be wrapped, and nothing larger unwraps", "[keyvault]") {
  constexpr std::size_t kLargest = std::size_t{64} * 1024;
  const Secret wrapping = Secret::random(32).value();
  const Secret key = Secret::random(kLargest).value();
  base::Bytes wrapped = wrap_key(wrapping, key).value();
  CHECK(wrapped.size() == kLargest + 8);
  CHECK(is_same(unwrap_key(wrapping, wrapped)->view(), key.view()));

  wrapped.resize(wrapped.size() + 8);
  CHECK(unwrap_key(wrapping, wrapped).error().code() == base::ErrorCode::kWrongKey);
}

}  // namespace sealift::keyvault
