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
    must(tree.set(number, id_of(number)));
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

TEST_CASE("a tree that goes on from another has what changed, and all the rest",
          "[archive]") {
  constexpr std::uint64_t kChunks = 70'000;
  const TreeShape shape(kChunks * kTestChunkSize, kTestChunkSize);
  // A page's id is made of its content, as it is in an archive.
  std::map<ChunkId, Page> pages;
  std::size_t stored = 0;
  const auto store = [&](const Page& page) -> base::Result<ChunkId> {
    ++stored;
    const base::Bytes bytes = encode(page);
    const ChunkId id(keyvault::sha256(bytes).bytes());
    pages.emplace(id, page);
    return id;
  };
  std::size_t loaded = 0;
  const auto load = [&](const ChunkId& id, std::uint32_t level,
                        std::uint32_t ids) -> base::Result<Page> {
    ++loaded;
    return decode_page(encode(pages.at(id)), level, ids);
  };
  const auto id_of = [](std::uint64_t number, std::uint64_t version) {
    ChunkId::Array bytes{};
    base::write_be64(bytes, 16, version);
    base::write_be64(bytes, 24, number + 1);
    return ChunkId(bytes);
  };
  std::map<std::uint64_t, ChunkId> content;
  PageTree first(shape, store);
  for (std::uint64_t number = 0; number < kChunks; number += 1 + number % 7) {
    content[number] = id_of(number, 1);
    must(first.set(number, content[number]));
    must(first.finish_below(number));
  }
  const ChunkId first_root = must(first.finish());
  const auto walked = [&](const ChunkId& root) {
    std::map<std::uint64_t, ChunkId> found;
    PageWalk walk(shape, root, load);
    while (const auto reference = must(walk.next())) {
      found[reference->number] = reference->id;
    }
    return found;
  };
  REQUIRE(walked(first_root) == content);

  stored = loaded = 0;
  PageTree second(shape, store, {first_root, load});
  SECTION("nothing changed: the same root, and no page is looked at") {
    CHECK(must(second.finish()) == first_root);
    CHECK(loaded == 0);
    CHECK(stored == 0);
  }
  SECTION("one chunk: as many pages as there are levels") {
    content[40'000] = id_of(40'000, 2);
    must(second.set(40'000, content[40'000]));
    must(second.finish_below(50'000));
    CHECK(walked(must(second.finish())) == content);
    CHECK(stored == 3);
  }
  SECTION("chunks that are set to what they were") {
    must(second.set(0, content.at(0)));
    CHECK(must(second.finish()) == first_root);
  }
  SECTION("many, in turns with finished pages; some become holes, a whole page too") {
    for (std::uint64_t number = 0; number < kChunks; number += 331) {
      content[number] = id_of(number, 2);
      must(second.set(number, content[number]));
      must(second.finish_below(number));
    }
    content.erase(69'999);
    must(second.set(69'999, ChunkId()));
    CHECK(walked(must(second.finish())) == content);
  }
  SECTION("a page that is all holes now is gone") {
    for (std::uint64_t number = 256; number < 512; ++number) {
      content.erase(number);
      must(second.set(number, ChunkId()));
    }
    const ChunkId root = must(second.finish());
    CHECK(walked(root) == content);
    PageTree anew(shape, store);
    for (const auto& [number, id] : content) must(anew.set(number, id));
    CHECK(must(anew.finish()) == root);
  }
  SECTION("everything becomes a hole") {
    for (const auto& [number, id] : content) must(second.set(number, ChunkId()));
    CHECK(must(second.finish()).is_zero());
  }
  SECTION("an earlier page that cannot be had fails it") {
    PageTree broken(
        shape, store,
        {first_root, [](const ChunkId&, std::uint32_t, std::uint32_t) {
           return base::Result<Page>(base::Error(base::ErrorCode::kCorrupt, "gone"));
         }});
    CHECK(broken.set(5, id_of(5, 2)).error().code() == base::ErrorCode::kCorrupt);
  }
}

}  // namespace sealift::archive
