#include "base/bytes.h"

#include "tests/support/catch.h"

namespace sealift::base {

TEST_CASE("bytes become hexadecimal and come back", "[base]") {
  const auto [text, hex] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {std::string("\0", 1), "00"},
      {"\xff", "ff"},
      {"Az\n", "417a0a"},
  }));
  CHECK(to_hex(as_bytes(text)) == hex);
  CHECK(as_text(from_hex(hex).value()) == text);
}

TEST_CASE("what is not lower-case hexadecimal is refused", "[base]") {
  const std::string text =
      GENERATE(as<std::string>(), "0", "000", "0G", "g0", "FF", "aF", " 00", "0x00",
               "00 ", "0\n", "-1", std::string("\0\0", 2));
  const auto refused = from_hex(text);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kUsage);
  CHECK(refused.error().places().front().name == text);
}

TEST_CASE("integers are stored big-endian", "[base]") {
  Bytes bytes(16);
  write_be16(bytes, 1, 0x0102);
  write_be32(bytes, 3, 0x03040506);
  write_be64(bytes, 7, 0x0708090a0b0c0d0e);
  CHECK(to_hex(bytes) == "000102030405060708090a0b0c0d0e00");
  CHECK(read_be16(bytes, 1) == 0x0102);
  CHECK(read_be32(bytes, 3) == 0x03040506);
  CHECK(read_be64(bytes, 7) == 0x0708090a0b0c0d0e);
}

TEST_CASE("the largest integers come back", "[base]") {
  Bytes bytes(8);
  write_be64(bytes, 0, ~std::uint64_t{0});
  CHECK(read_be64(bytes, 0) == ~std::uint64_t{0});
  CHECK(read_be32(bytes, 4) == ~std::uint32_t{0});
  CHECK(read_be16(bytes, 6) == 0xffff);
}

TEST_CASE("zeros are told from anything else, wherever it stands", "[base]") {
  CHECK(is_all_zero({}));
  for (std::size_t size = 1; size < 70; ++size) {
    Bytes bytes(size);
    CHECK(is_all_zero(bytes));
    for (std::size_t i = 0; i < size; ++i) {
      bytes[i] = std::byte{0x80};
      CHECK_FALSE(is_all_zero(bytes));
      bytes[i] = std::byte{0};
    }
  }
}

}  // namespace sealift::base
