#include "base/strict_json.h"

#include "tests/support/catch.h"

namespace sealift::base {
namespace {

std::string nested(int depth) {
  const auto count = static_cast<std::size_t>(depth);
  return std::string(count, '[') + std::string(count, ']');
}

Json object() {
  return parse_strict_json(R"({"text":"a","count":7,"below":-1,"half":0.5,"yes":true,)"
                           R"("list":[1],"inner":{"x":1},"none":null})")
      .value();
}

template <typename Value>
void check_refused(const Result<Value>& result, const std::string& member) {
  REQUIRE_FALSE(result);
  CHECK(result.error().code() == ErrorCode::kCorrupt);
  CHECK(result.error().places().front() == Error::Place{"member", member});
}

}  // namespace

TEST_CASE("strict JSON reads a value and keeps the order of members", "[base]") {
  const Json json = parse_strict_json(R"( {"b":1,"a":[true,null,"\u00e4"]} )").value();
  CHECK(json.dump() == "{\"b\":1,\"a\":[true,null,\"\xc3\xa4\"]}");
}

TEST_CASE("strict JSON refuses what two readers could read differently", "[base]") {
  const std::string text =
      GENERATE(as<std::string>(), R"({"a":1,"a":2})",                // one name twice
               R"({"x":{"a":1,"a":2}})", R"([{"a":1,"\u0061":2}])",  // the same, hidden
               "NaN", "[NaN]", "Infinity", "-Infinity", "1e999",     // no numbers
               "// comment\n1", "/* comment */ 1",                   // no comments
               "1 2", "{} {}", "1,", R"({"a":1,})", "[1,]",     // something after it
               R"({a:1})", "'a'", "01", "+1", ".5", "1.",       // other people's JSON
               "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"",  // no UTF-8
               R"("\ud800")", "\"\n\"", "\"a",                  // broken strings
               "", " ", "{", "[", R"({"a"})", "tru",
               "\xef\xbb\xbf"
               "1x");
  CAPTURE(text);
  const auto refused = parse_strict_json(text);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kCorrupt);
}

TEST_CASE("strict JSON names the member that stands twice", "[base]") {
  const auto refused = parse_strict_json(R"({"size":1,"size":2})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().places().front() == Error::Place{"member", "size"});
}

TEST_CASE("strict JSON says where its text ends to be JSON, and cites nothing of it",
          "[base]") {
  const auto refused = parse_strict_json(R"({"key":"secret)");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().cause() == "at byte 15");
  const auto large = parse_strict_json("[" + std::string(400, '7') + "]");
  REQUIRE_FALSE(large);
  CHECK(large.error().cause() == "a number is out of range");
}

TEST_CASE("strict JSON lets one name stand in several objects", "[base]") {
  CHECK(parse_strict_json(R"([{"a":1},{"a":{"a":2}},{"a":3}])"));
}

TEST_CASE("strict JSON reads 64 levels and refuses 65", "[base]") {
  CHECK(parse_strict_json(nested(64)));
  CHECK_FALSE(parse_strict_json(nested(65)));
  // Far deeper than any stack: refused, not crashed.
  CHECK_FALSE(parse_strict_json(nested(1000000)));
}

TEST_CASE("members of an object are read by name and type", "[base]") {
  const Json json = object();
  CHECK(json_string(json, "text").value() == "a");
  CHECK(json_unsigned(json, "count").value() == 7);
  CHECK(json_bool(json, "yes").value());
  CHECK(json_array(json, "list")->size() == 1);
  CHECK(json_object(json, "inner")->size() == 1);
}

TEST_CASE("the largest unsigned integer is read, one more is refused", "[base]") {
  CHECK(json_unsigned(parse_strict_json(R"({"n":18446744073709551615})").value(), "n")
            .value() == 18446744073709551615U);
  CHECK_FALSE(
      json_unsigned(parse_strict_json(R"({"n":18446744073709551616})").value(), "n"));
}

TEST_CASE("a member that is missing or of another type is refused by name", "[base]") {
  const Json json = object();
  check_refused(json_string(json, "missing"), "missing");
  check_refused(json_string(json, "count"), "count");
  check_refused(json_string(json, "none"), "none");
  check_refused(json_unsigned(json, "below"), "below");
  check_refused(json_unsigned(json, "half"), "half");
  check_refused(json_unsigned(json, "text"), "text");
  check_refused(json_bool(json, "count"), "count");
  check_refused(json_array(json, "inner"), "inner");
  check_refused(json_object(json, "list"), "list");
  check_refused(json_string(Json::array(), "text"), "text");
}

TEST_CASE("unknown members are refused by name", "[base]") {
  const Json json = parse_strict_json(R"({"a":1,"b":2})").value();
  CHECK(refuse_other_members(json, {"a", "b", "c"}));
  check_refused(refuse_other_members(json, {"a"}), "b");
  CHECK_FALSE(refuse_other_members(Json::array(), {"a"}));
}

}  // namespace sealift::base
