#include "base/digest_id.h"

#include <type_traits>
#include <unordered_set>

#include "tests/support/catch.h"

namespace sealift::base {
namespace {

using Apple = DigestId<struct AppleMeaning>;
using Pear = DigestId<struct PearMeaning>;
using Small = DigestId<struct SmallMeaning, 4>;

static_assert(!std::is_convertible_v<Apple, Pear>);
static_assert(!std::is_convertible_v<Apple::Array, Apple>);
static_assert(!std::is_constructible_v<Apple, Pear>);

}  // namespace

TEST_CASE("an id reads from its hexadecimal and writes it back", "[base]") {
  const Small id = Small::parse("00ff10a5").value();
  CHECK(id.hex() == "00ff10a5");
  CHECK(id == Small::from(id.view()));
  CHECK_FALSE(id.is_zero());
  CHECK(Small().is_zero());
  CHECK(Small() < id);
}

TEST_CASE("text that is no id is refused, and quoted", "[base]") {
  const std::string text = GENERATE(as<std::string>(), "", "00ff10a", "00ff10a50",
                                    "00FF10A5", "00ff10ag", " 0ff10a5", "00ff10a5\n");
  const auto refused = Small::parse(text);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kUsage);
  CHECK(refused.error().what() == "not 8 lower-case hexadecimal digits");
  CHECK(refused.error().places().front() == Error::Place{"text", text});
}

TEST_CASE("ids can be looked up by hash", "[base]") {
  const std::unordered_set<Apple> ids{Apple(),
                                      Apple::parse(std::string(64, 'a')).value()};
  CHECK(ids.contains(Apple()));
  CHECK(ids.contains(Apple::parse(std::string(64, 'a')).value()));
  CHECK_FALSE(ids.contains(Apple::parse(std::string(64, 'b')).value()));
}

}  // namespace sealift::base
