// Pages are refused by the rule they break; trees have the shape of their size.
#include "archive/page.h"

#include "archive/limits.h"
#include "archive/page_tree.h"
#include "archive/page_walk.h"
#include "tests/archive/archive_fixture.h"
#include "tests/archive/format_page.h"
#include "tests/support/catch.h"

namespace sealift::archive {

namespace {

std::string rule_of(const base::Error& error) { return error.places().front().name; }

}  // namespace

TEST_CASE("a page is refused by the rule it breaks", "[archive][format]") {
  const base::Bytes good = example_bytes("page.md");
  const auto rule = [](const base::Bytes& bytes, std::uint32_t level,
                       std::uint32_t ids) {
    const auto page = decode_page(bytes, level, ids);
    return page ? std::string() : rule_of(page.error());
  };
  CHECK(rule(good, 1, 16).empty());
  CHECK(rule(good, 1, 15) == "P1");
  CHECK(rule({}, 1, 16) == "P1");
  base::Bytes longer = good;
  longer.push_back(std::byte{0});
  CHECK(rule(longer, 1, 16) == "P1");
  CHECK(rule(good, 2, 16) == "P2");
  base::Bytes holes(1 + 16 * 32);
  holes[0] = std::byte{1};
  CHECK(rule(holes, 1, 16) == "P3");
}

TEST_CASE("a tree has the shape that its size gives it", "[archive][format]") {
  struct Row {
    std::uint64_t size;
    std::uint64_t chunks;
    std::uint32_t depth;
  };
  constexpr std::uint64_t kChunk = 65'536;
  for (const Row& row :
       {Row{0, 0, 0}, Row{1, 1, 0}, Row{kChunk, 1, 0}, Row{kChunk + 1, 2, 1},
        Row{256 * kChunk, 256, 1}, Row{256 * kChunk + 1, 257, 2},
        Row{65'536 * kChunk, 65'536, 2}, Row{65'536 * kChunk + 1, 65'537, 3},
        Row{kMaxComponentSize, std::uint64_t{1} << 34U, 5}}) {
    const TreeShape shape(row.size, kChunk);
    CHECK(shape.chunks() == row.chunks);
    CHECK(shape.depth() == row.depth);
  }
  const TreeShape shape(65'537 * kChunk, kChunk);
  CHECK(shape.ids_in(3, 0) == 2);
  CHECK(shape.ids_in(2, 0) == 256);
  CHECK(shape.ids_in(2, 1) == 1);
  CHECK(shape.ids_in(1, 255) == 256);
  CHECK(shape.ids_in(1, 256) == 1);
}

TEST_CASE("a tree that was built is walked to the same chunks", "[archive]") {
  constexpr std::uint64_t kChunks = 70'000;
  const TreeShape shape(kChunks * kTestChunkSize, kTestChunkSize);
  std::map<ChunkId, Page> pages;
  std::uint64_t next_page = 0;
  PageTree tree(shape, [&](const Page& page) -> base::Result<ChunkId> {
    ChunkId::Array bytes{};
    bytes[0] = std::byte{0xff};
    base::write_be64(bytes, 24, ++next_page);
    CHECK(page.ids.size() <= kPageFanOut);
    pages.emplace(ChunkId(bytes), page);
    return ChunkId(bytes);
  });
  const auto id_of = [](std::uint64_t number) {
    ChunkId::Array bytes{};
    base::write_be64(bytes, 24, number + 1);
    return ChunkId(bytes);
  };
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t number = 0; number < kChunks; number += 1 + number % 700) {
    tree.set(number, id_of(number));
    numbers.push_back(number);
    if (number % 3 == 0) {
      must(tree.finish_below(number));
    }
  }
  CHECK(pages.size() > 1);
  const ChunkId root = must(tree.finish());

  PageWalk walk(shape, root,
                [&](const ChunkId& id, std::uint32_t level,
                    std::uint32_t ids) -> base::Result<Page> {
                  return decode_page(encode(pages.at(id)), level, ids);
                });
  std::vector<std::uint64_t> found;
  while (const auto reference = must(walk.next())) {
    CHECK(reference->id == id_of(reference->number));
    found.push_back(reference->number);
  }
  CHECK(found == numbers);
}

}  // namespace sealift::archive
