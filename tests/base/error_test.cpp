#include "base/error.h"

#include <cerrno>

#include "tests/support/catch.h"

namespace sealift::base {

TEST_CASE("an error reads what, where, why, next", "[base]") {
  const Error error =
      Error(ErrorCode::kCorrupt, "stored chunk fails its authentication tag")
          .at("offset", "1048576")
          .at("disk", "vda")
          .at("vm", "web-01")
          .because("Input/output error")
          .next("choose an older snapshot from `sealift list web-01`")
          .next("check the host's disk");
  CHECK(render(error) ==
        "error: stored chunk fails its authentication tag\n"
        "  where: vm web-01, disk vda, offset 1048576\n"
        "  cause: Input/output error\n"
        "  next:  choose an older snapshot from `sealift list web-01`\n"
        "  next:  check the host's disk\n");
}

TEST_CASE("an error without places, cause and steps is one line", "[base]") {
  CHECK(render(Error(ErrorCode::kIo, "cannot read")) == "error: cannot read\n");
}

TEST_CASE("an error in hand takes places and steps too", "[base]") {
  Error error(ErrorCode::kNotFound, "no such VM");
  error.at("vm", "web-02").next("run `sealift list`");
  CHECK(error.code() == ErrorCode::kNotFound);
  CHECK(error.places() == std::vector<Error::Place>{{"vm", "web-02"}});
  CHECK(error.next_steps() == std::vector<std::string>{"run `sealift list`"});
}

TEST_CASE("a place that callee and caller both name is named once", "[base]") {
  const Error error = Error(ErrorCode::kIo, "cannot read")
                          .at("offset", "0")
                          .at("disk", "vda")
                          .at("disk", "vda")
                          .at("vm", "vda");
  CHECK(render(error) == "error: cannot read\n  where: vm vda, disk vda, offset 0\n");
}

TEST_CASE("no part of an error can move the cursor or start a line", "[base]") {
  const std::string evil = "a\n\x1b[2Jb\r";
  const Error error =
      Error(ErrorCode::kIo, evil).at(evil, evil).because(evil).next(evil);
  const std::string safe = "a\\x0a\\x1b[2Jb\\x0d";
  CHECK(render(error) == "error: " + safe + "\n  where: " + safe + " " + safe +
                             "\n  cause: " + safe + "\n  next:  " + safe + "\n");
}

TEST_CASE("what can be printed stays as it is", "[base]") {
  const std::string text = GENERATE(as<std::string>(),  //
                                    "", "plain ~text~",
                                    "h\xc3\xb6st",        // two bytes
                                    "\xe2\x82\xac",       // three
                                    "\xf0\x9d\x84\x9e",   // four
                                    "\xc2\xa0",           // the first after C1
                                    "\xed\x9f\xbf",       // the last before surrogates
                                    "\xee\x80\x80",       // the first after them
                                    "\xf4\x8f\xbf\xbf");  // the last of all
  CHECK(printable(text) == text);
}

TEST_CASE("control characters and broken UTF-8 are escaped", "[base]") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {std::string("\0", 1), "\\x00"},
      {"\t", "\\x09"},
      {"\x1f", "\\x1f"},
      {"\x7f", "\\x7f"},
      {"\xc2\x80", "\\xc2\\x80"},                    // C1
      {"\xc2\x9f", "\\xc2\\x9f"},                    // C1, the last
      {"\x80", "\\x80"},                             // a continuation alone
      {"\xc3", "\\xc3"},                             // cut short
      {"\xe2\x82", "\\xe2\\x82"},                    // cut short
      {"\xc3(", "\\xc3("},                           // not continued
      {"\xc0\xaf", "\\xc0\\xaf"},                    // overlong
      {"\xc1\xbf", "\\xc1\\xbf"},                    // overlong
      {"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},           // overlong
      {"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"},  // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // a surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // beyond U+10FFFF
      {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},  // no such lead
      {"ok\xff"
       "ok",
       "ok\\xffok"},
  }));
  CHECK(printable(text) == expected);
}

TEST_CASE("a system error has the system's words", "[base]") {
  const Error error = system_error(ENOSPC, "cannot write a file");
  CHECK(error.code() == ErrorCode::kIo);
  CHECK(error.what() == "cannot write a file");
  CHECK(error.cause() == "No space left on device");
}

TEST_CASE("error codes are the exit statuses that scripts know", "[base]") {
  const auto [code, status] = GENERATE(table<ErrorCode, int>({
      {ErrorCode::kDefect, 1},
      {ErrorCode::kUsage, 2},
      {ErrorCode::kCorrupt, 3},
      {ErrorCode::kRefused, 5},
      {ErrorCode::kUnproven, 6},
      {ErrorCode::kNotFound, 10},
      {ErrorCode::kBusy, 11},
      {ErrorCode::kWrongKey, 12},
      {ErrorCode::kUnsupported, 14},
      {ErrorCode::kIo, 15},
      {ErrorCode::kHypervisor, 16},
      {ErrorCode::kInterrupted, 130},
  }));
  CHECK(static_cast<int>(code) == status);
}

}  // namespace sealift::base
