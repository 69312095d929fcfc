#include "base/timestamp.h"

#include <cstdlib>
#include <ctime>

#include "tests/support/catch.h"

namespace sealift::base {
namespace {

// The time zone of the process, for one test.
class Zone {
 public:
  explicit Zone(const char* name) { set(name); }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;
  ~Zone() { set("UTC"); }

 private:
  static void set(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
};

}  // namespace

TEST_CASE("a stored time reads and writes one form", "[base]") {
  const auto [text, seconds] = GENERATE(table<std::string, std::int64_t>({
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01T00:00:01Z", 1},
      {"2000-02-29T12:34:56Z", 951827696},
      {"2026-11-23T18:00:00Z", 1795456800},
      {"2038-01-19T03:14:08Z", 2147483648},
      {"9999-12-31T23:59:59Z", 253402300799},
  }));
  CHECK(Timestamp::parse_stored(text)->seconds() == seconds);
  CHECK(Timestamp(seconds).text() == text);
}

TEST_CASE("a stored time in another form is refused", "[base]") {
  const std::string text = GENERATE(
      as<std::string>(), "", "2026-11-23", "2026-11-23T18:00Z", "2026-11-23T18:00:00",
      "2026-11-23T18:00:00+00:00", "2026-11-23 18:00:00Z", "2026-11-23t18:00:00Z",
      "2026-11-23T18:00:00z", "2026-11-23T18:00:00.0Z", "2026-11-23T18:00:00Z ",
      " 2026-11-23T18:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T18:60:00Z",
      "2026-11-23T18:00:60Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
      "2026-02-29T00:00:00Z", "2026-02-00T00:00:00Z", "1969-12-31T23:59:59Z",
      "226-11-23T18:00:00Z", "+2026-11-23T18:00:00Z", "2026-1-23T18:00:00Z",
      "2026-11-23T1a:00:00Z");
  CAPTURE(text);
  const auto refused = Timestamp::parse_stored(text);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kUsage);
}

TEST_CASE("a typed time may have any offset", "[base]") {
  const std::string text =
      GENERATE(as<std::string>(), "2026-11-23T18:00:00Z", "2026-11-23t18:00:00z",
               "2026-11-23T19:30:00+01:30", "2026-11-23T13:00:00-05:00",
               "2026-11-24T00:00:00+06:00", "2026-11-23T18:00:00.999Z");
  CAPTURE(text);
  CHECK(Timestamp::parse_typed(text)->text() == "2026-11-23T18:00:00Z");
}

TEST_CASE("a typed time without offset is this host's local time", "[base]") {
  const Zone zone("CET-1CEST,M3.5.0,M10.5.0/3");
  CHECK(Timestamp::parse_typed("2026-11-21 18:00")->text() == "2026-11-21T17:00:00Z");
  CHECK(Timestamp::parse_typed("2026-07-21 18:00:30")->text() ==
        "2026-07-21T16:00:30Z");
  CHECK(Timestamp::parse_typed("2026-11-21")->text() == "2026-11-20T23:00:00Z");
}

TEST_CASE("a typed time in another form is refused, with the right form", "[base]") {
  const std::string text = GENERATE(
      as<std::string>(), "", "yesterday", "18:00", "21.11.2026", "2026-11-21 ",
      "2026-11-21 1", "2026-11-21 18", "2026-11-21 18:00:", "2026-11-21 18:00 ",
      "2026-11-21T18:00", "2026-11-21T18:00:00", "2026-11-21T18:00:00.Z",
      "2026-11-21T18:00:00+1", "2026-11-21T18:00:00+01:00:01",
      "2026-11-21T18:00:00+24:00", "2026-02-30 10:00", "1970-01-01T00:00:00+01:00");
  CAPTURE(text);
  const auto refused = Timestamp::parse_typed(text);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kUsage);
  CHECK_FALSE(refused.error().next_steps().empty());
}

TEST_CASE("the system's clock is in this century", "[base]") {
  const Timestamp now = SystemClock().now();
  CHECK(now > Timestamp::parse_stored("2025-01-01T00:00:00Z").value());
  CHECK(now < Timestamp::parse_stored("2100-01-01T00:00:00Z").value());
}

}  // namespace sealift::base
