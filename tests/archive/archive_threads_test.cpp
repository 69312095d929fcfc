// Archives written and read by several threads at once.
#include <thread>

#include "archive/frame.h"
#include "archive/segment_checks.h"
#include "tests/archive/archive_fixture.h"
#include "tests/support/catch.h"

namespace sealift::archive {

TEST_CASE("many threads write one archive, many threads read it",
          "[archive][threads]") {
  ArchiveFixture fixture;
  fixture.options.volume_size = 3'000'000;
  std::mutex guard;
  std::set<std::uint64_t> counters;
  bool is_unique = true;
  fixture.on_sealed = [&](std::span<std::byte> frame) {
    const std::lock_guard lock(guard);
    is_unique =
        counters.insert(must(decode_frame_header(frame)).counter).second && is_unique;
  };
  constexpr std::uint64_t kChunks = 700;
  constexpr unsigned kThreads = 4;
  const auto chunk_of = [](std::uint64_t number) {
    // Every fifth is a hole; equal chunks meet in different threads.
    return number % 5 == 0 ? repeated(kTestChunkSize, 0)
                           : noise(kTestChunkSize, number / 3);
  };

  const auto writer = must(fixture.begin());
  const auto disk = must(
      writer->add_component("disk", "vda", IdScope::kShared, kChunks * kTestChunkSize));
  std::atomic<std::uint64_t> next{0};
  std::atomic<unsigned> failures{0};
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (std::uint64_t number = next++; number < kChunks; number = next++) {
          if (!disk->put(number, chunk_of(number))) ++failures;
          // As far as every thread has come for certain.
          if (number % 64 == 0 && number > 300) {
            if (!disk->finish_below(number - 300)) ++failures;
          }
          static_cast<void>(writer->counts());
        }
      });
    }
  }
  REQUIRE(failures == 0);
  REQUIRE(disk->finish({}));
  const auto snapshot =
      must(writer->commit(ArchiveFixture::description(), {}, fixture.position));
  CHECK(is_unique);
  CHECK(snapshot.volumes > 2);
  CHECK(writer->counts().new_chunks < writer->counts().chunks);

  const Volume last = must(fixture.open(volume_name(snapshot.id, snapshot.volumes)));
  const TestLocator locator = fixture.locate_all();
  const auto reader = must(fixture.read(last, locator));
  std::atomic<std::uint64_t> found{0};
  std::atomic<unsigned> wrong{0};
  const ChunkSink compare = [&](std::uint64_t offset,
                                base::ByteView bytes) -> base::Status {
    for (std::size_t at = 0; at < bytes.size(); at += kTestChunkSize) {
      ++found;
      const base::Bytes expected = chunk_of((offset + at) / kTestChunkSize);
      if (!std::ranges::equal(bytes.subspan(at, kTestChunkSize), expected)) ++wrong;
    }
    return base::Done{};
  };
  SegmentChecks checks(fixture.store, fixture.trust);
  for (const auto& [name, bytes] : fixture.store.objects) {
    REQUIRE(checks.add(must(fixture.open(name))));
  }
  REQUIRE(reader->read(component_of(*reader, "disk"), compare, kThreads, {}, &checks));
  REQUIRE(checks.check_rest(kThreads, {}, {}));
  CHECK(wrong == 0);
  CHECK(found == kChunks - kChunks / 5);
}

TEST_CASE("storage that fails fails every thread, and no snapshot is made",
          "[archive][threads]") {
  ArchiveFixture fixture;
  fixture.options.volume_size = 500'000;
  fixture.store.fail_from(40);
  const auto writer = must(fixture.begin());
  const auto disk = must(writer->add_component("disk", "vda", IdScope::kShared,
                                               std::uint64_t{200} * kTestChunkSize));
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t first = 0; first < 4; ++first) {
      threads.emplace_back([&, first] {
        for (std::uint64_t number = first; number < 200; number += 4) {
          if (!disk->put(number, noise(kTestChunkSize, number))) return;
        }
      });
    }
  }
  const auto snapshot =
      writer->commit(ArchiveFixture::description(), {}, fixture.position);
  REQUIRE_FALSE(snapshot);
  CHECK(snapshot.error().code() == base::ErrorCode::kIo);
  for (const auto& [name, bytes] : fixture.store.objects) {
    CHECK(check_every_byte(fixture.store, must(fixture.open(name)), fixture.trust));
  }
}

}  // namespace sealift::archive
