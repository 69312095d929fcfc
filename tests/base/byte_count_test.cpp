#include "base/byte_count.h"

#include <limits>

#include "tests/support/catch.h"

namespace sealift::base {

TEST_CASE("a byte count reads as people write sizes", "[base]") {
  const auto [bytes, text] = GENERATE(table<std::uint64_t, std::string>({
      {0, "0 B"},
      {512, "512 B"},
      {1023, "1023 B"},
      {kKiB, "1.0 KiB"},
      {1536, "1.5 KiB"},
      {kMiB - 1, "1.0 MiB"},  // Not "1024.0 KiB".
      {kMiB, "1.0 MiB"},
      {3 * kGiB, "3.0 GiB"},
      {kGiB * kKiB, "1.0 TiB"},
      {kGiB * kMiB, "1.0 PiB"},
      {std::numeric_limits<std::uint64_t>::max(), "16.0 EiB"},
  }));
  CHECK(ByteCount(bytes).text() == text);
}

TEST_CASE("byte counts add and compare", "[base]") {
  ByteCount sum = ByteCount(1) + ByteCount(2);
  sum += ByteCount(4);
  CHECK(sum == ByteCount(7));
  CHECK(ByteCount(7) < ByteCount(8));
  CHECK(ByteCount().bytes() == 0);
}

}  // namespace sealift::base
