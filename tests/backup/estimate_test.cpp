#include "backup/estimate.h"

#include "base/byte_count.h"
#include "tests/support/catch.h"
#include "vm/checkpoints.h"

namespace sealift::backup {

namespace {

constexpr std::uint64_t kBit = 64 * base::kKiB;
constexpr std::uint32_t kChunk = 256 * base::kKiB;

}  // namespace

TEST_CASE("every piece that was noted may lie in a chunk of its own", "[backup]") {
  const archive::TreeShape shape(10 * base::kMiB, kChunk);
  CHECK(most_of_changes(0, kBit, shape) == 0);
  CHECK(most_of_changes(kBit, kBit, shape) == kChunk);
  CHECK(most_of_changes(3 * kBit, kBit, shape) == 3 * kChunk);
  CHECK(most_of_changes(4096, 4096, shape) == kChunk);
}

TEST_CASE("no more than the disk has changed", "[backup]") {
  const std::uint64_t size = base::kMiB + 5000;
  const archive::TreeShape shape(size, kChunk);
  CHECK(most_of_changes(base::kMiB, kBit, shape) == size);
}

TEST_CASE("a chunk of the size of a piece is read alone", "[backup]") {
  const archive::TreeShape shape(10 * base::kMiB, kBit);
  CHECK(most_of_changes(3 * kBit, kBit, shape) == 3 * kBit);
}

TEST_CASE("QEMU notes changes of a cluster, from 4 to 64 KiB", "[backup]") {
  CHECK(vm::bytes_of_a_bit(0) == 64 * base::kKiB);
  CHECK(vm::bytes_of_a_bit(512) == 4 * base::kKiB);
  CHECK(vm::bytes_of_a_bit(16 * base::kKiB) == 16 * base::kKiB);
  CHECK(vm::bytes_of_a_bit(2 * base::kMiB) == 64 * base::kKiB);
}

}  // namespace sealift::backup
