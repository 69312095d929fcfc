#include "archive/record.h"

#include "tests/support/catch.h"

using namespace sealift;
using base::ErrorCode;

namespace {

// docs/format/record.md, section 6: copied from the page, not computed here.
const std::string kExample =
    "sealift enrolled 1\n"
    "repository 1111111111111111111111111111111111111111111111111111111111111111\n"
    "signer 2222222222222222222222222222222222222222222222222222222222222222\n"
    "sequence 2\n"
    "previous 3333333333333333333333333333333333333333333333333333333333333333\n"
    "created 2026-11-23T18:00:00Z\n"
    "key MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
    "role writer\n";
constexpr std::string_view kExampleDigest =
    "74c3a43741d280f637455b32f24bb9468a6e228bf1502d690a74cb143d2b5f69";

std::string replaced(std::string_view from, std::string_view to) {
  std::string text = kExample;
  text.replace(text.find(from), from.size(), to);
  return text;
}

base::Result<archive::Record> parse(const std::string& text) {
  return archive::parse_record(base::as_bytes(text));
}

}  // namespace

TEST_CASE("a record reads as its page says", "[archive][format]") {
  const archive::Record record = parse(kExample).value();
  CHECK(record.kind == "enrolled");
  CHECK(record.repository.hex() == std::string(64, '1'));
  CHECK(record.signer.hex() == std::string(64, '2'));
  CHECK(record.sequence == 2);
  CHECK(record.previous.hex() == std::string(64, '3'));
  CHECK(record.created.text() == "2026-11-23T18:00:00Z");
  CHECK(record.field("role").value() == "writer");
  CHECK(to_text(record) == kExample);
  CHECK(digest_of(record).hex() == kExampleDigest);
}

TEST_CASE("a record is refused by the rule it breaks", "[archive][format]") {
  struct Broken {
    std::string rule;
    ErrorCode code;
    std::string text;
  };
  const auto corrupt = ErrorCode::kCorrupt;
  const std::string zero(64, '0');
  const Broken broken = GENERATE_COPY(values<Broken>({
      {"R1", corrupt, ""},
      {"R1", corrupt, kExample.substr(0, kExample.size() - 1)},
      {"R1", corrupt, kExample + "note " + std::string(1024 * 1024, 'x') + "\n"},
      {"R2", corrupt, "\n"},
      {"R2", corrupt, replaced("sealift ", "Sealift ")},
      {"R2", corrupt, replaced("enrolled 1", "enrolled")},
      {"R2", corrupt, replaced("enrolled 1", "Enrolled 1")},
      {"R2", corrupt, replaced("enrolled 1", "en rolled 1")},
      {"R2", corrupt, replaced("enrolled 1", "en{rolled 1")},
      {"R2", corrupt, replaced("enrolled 1", "enrolled 1x")},
      {"R2", corrupt, replaced("enrolled 1", std::string(33, 'a') + " 1")},
      {"R2", ErrorCode::kUnsupported, replaced("enrolled 1", "enrolled 2")},
      {"R3", corrupt, replaced("repository 11", "repository 1")},
      {"R3", corrupt, replaced("repository 11", "repository AA")},
      {"R3", corrupt, replaced("repository", "signer")},
      {"R3", corrupt, replaced("sequence 2\n", "")},
      {"R3", corrupt, replaced("sequence 2", "sequence -2")},
      {"R3", corrupt, replaced("sequence 2", "sequence 99999999999999999999")},
      {"R3", corrupt, replaced("T18:00:00Z", " 18:00:00")},
      {"R3", corrupt, "sealift enrolled 1\n"},
      {"R4", corrupt, replaced("sequence 2", "sequence 0")},
      {"R4", corrupt, replaced("sequence 2", "sequence 100000000")},
      {"R4", corrupt, replaced("sequence 2", "sequence 1")},
      {"R4", corrupt, replaced(std::string(64, '3'), zero)},
      {"R5", corrupt, replaced("role writer", "role")},
      {"R5", corrupt, replaced("role writer", "role ")},
      {"R5", corrupt, replaced("role writer", "role  writer")},
      {"R5", corrupt, replaced("role writer", "role writer ")},
      {"R5", corrupt, replaced("role writer", "Role writer")},
      {"R5", corrupt, replaced("role writer", "role wr\titer")},
      {"R5", corrupt, replaced("role writer", "role wr\xc3\xa4ter")},
      {"R5", corrupt, replaced("role writer", "role wr\x7fiter")},
      {"R5", corrupt, replaced("role writer\n", "role writer\r\n")},
      {"R5", corrupt, kExample + "\n"},
      {"R6", corrupt, replaced("sequence 2", "sequence 02")},
      {"R6", corrupt, replaced("enrolled 1", "enrolled 01")},
      {"R6", corrupt, replaced("enrolled 1", "enrolled 0")},
  }));
  CAPTURE(broken.rule, broken.text.substr(0, 600));
  const auto result = parse(broken.text);
  REQUIRE_FALSE(result);
  CHECK(result.error().code() == broken.code);
  CHECK(result.error().places().front() == base::Error::Place{"rule", broken.rule});
}

TEST_CASE("no single byte of a record can change unnoticed", "[archive][format]") {
  for (std::size_t at = 0; at < kExample.size(); ++at) {
    std::string text = kExample;
    text[at] = static_cast<char>(text[at] ^ 0x20);
    const auto record = parse(text);
    if (record) CHECK(to_text(record.value()) == text);
  }
}

TEST_CASE("a field that stands twice has no one value", "[archive]") {
  archive::Record record = parse(kExample).value();
  CHECK(record.field("none").error().code() == ErrorCode::kCorrupt);
  record.fields.emplace_back("role", "keeper");
  CHECK(record.field("role").error().code() == ErrorCode::kCorrupt);
  CHECK(record.all("role") == std::vector<std::string>{"writer", "keeper"});
  CHECK(record.all("none").empty());
}
