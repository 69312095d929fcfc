// Indexes are refused by the rule they break.
#include "archive/frame_index.h"

#include "tests/archive/archive_fixture.h"
#include "tests/archive/format_page.h"
#include "tests/support/catch.h"

namespace sealift::archive {

namespace {

std::string rule_of(const base::Error& error) { return error.places().front().name; }

}  // namespace

TEST_CASE("an index is refused by the rule it breaks", "[archive][format]") {
  const std::vector<FrameKey> keys{{}, {{}, true, {}, {}, {}}};
  const base::Bytes good = example_bytes("index.md");
  const auto rule = [&](base::Bytes bytes, std::uint64_t begin = 0,
                        std::uint64_t end = 4096) {
    const auto entries = decode_index_entries(bytes, {keys, begin, end});
    return entries ? std::string() : rule_of(entries.error());
  };
  const auto with = [&](std::size_t offset, std::string_view hex) {
    base::Bytes bytes = good;
    for (const std::byte byte : support::from_hex(hex)) bytes.at(offset++) = byte;
    return bytes;
  };
  CHECK(rule(good).empty());
  CHECK(rule({}) == "I2");
  CHECK(rule(with(3, "02")) == "I2");
  CHECK(rule(with(0, "00010001")) == "I2");
  std::vector<IndexEntry> many(65'536);
  for (std::size_t i = 0; i < many.size(); ++i) {
    many[i].offset = 512 * i;
    many[i].stored_size = 512;
    many[i].plain_size = 512;
  }
  const auto rule_of_all = [&] {
    return rule(encode_index_entries(many), 0, 512 * many.size());
  };
  CHECK(rule_of_all().empty());
  many.push_back(many.back());
  many.back().offset += 512;
  CHECK(rule_of_all() == "I2");
  CHECK(rule(with(7, "01")) == "I2");
  CHECK(rule(with(8 + 37, "01")) == "I2");
  CHECK(rule(with(8 + 36, "03")) == "I3");
  CHECK(rule(with(8 + 36, "00")) == "I3");
  CHECK(rule(with(8 + 35, "00")) == "I4");
  CHECK(rule(with(8 + 35, "02")) == "I4");
  CHECK(rule(with(8 + 48, "00000068")) == "I5");
  CHECK(rule(with(8 + 48, "000000aa")) == "I5");
  CHECK(rule(with(8 + 52, "00000000")) == "I5");
  CHECK(rule(with(8 + 52, "00400001")) == "I5");
  CHECK(rule(good, 3585) == "I6");
  CHECK(rule(good, 0, 3584 + 163) == "I6");
  CHECK(rule(with(8 + 40, "ffffffffffffffff")) == "I6");
}

}  // namespace sealift::archive
