// Volumes checked while they are read: every byte once, and none left out.
#include "archive/segment_checks.h"

#include <algorithm>

#include "archive/tar_form.h"
#include "tests/archive/archive_fixture.h"
#include "tests/support/catch.h"

namespace sealift::archive {

namespace {

struct Range {
  std::string object;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Notes what is read, of one thread.
class WatchedStore final : public ObjectReader {
 public:
  explicit WatchedStore(const ObjectReader& store) : store_(store) {}

  mutable std::vector<Range> ranges;

  std::string place() const override { return store_.place(); }
  base::Result<std::vector<ObjectInfo>> list(std::string_view prefix) const override {
    return store_.list(prefix);
  }
  base::Result<ObjectInfo> examine(std::string_view name) const override {
    return store_.examine(name);
  }
  base::Status read(std::string_view name, std::uint64_t offset,
                    std::span<std::byte> bytes) const override {
    ranges.push_back({std::string(name), offset, offset + bytes.size()});
    return store_.read(name, offset, bytes);
  }

 private:
  const ObjectReader& store_;
};

/// A disk of three segments and a bit, written by two threads at once would be: the
/// chunks of its halves take turns.
struct Written : ArchiveFixture {
  static constexpr std::uint64_t kChunks = 420;
  CommittedSnapshot snapshot;
  Volume last;
  TestLocator locator;
  WatchedStore watched{store};
  SegmentChecks checks{watched, trust};

  Written() {
    const auto writer = must(begin());
    const auto disk = must(writer->add_component("disk", "vda", IdScope::kShared,
                                                 kChunks * kTestChunkSize));
    for (std::uint64_t i = 0; i < kChunks / 2; ++i) {
      REQUIRE(disk->put(i, noise(kTestChunkSize, i)));
      const std::uint64_t other = kChunks / 2 + i;
      REQUIRE(disk->put(other, noise(kTestChunkSize, other)));
    }
    REQUIRE(disk->finish({}));
    REQUIRE(writer->add_file("config", "domain.xml", repeated(5, 'x'), {}));
    snapshot = must(writer->commit(description(), {}, position));
    last = must(open(volume_name(snapshot.id, 1)));
    locator = locate_all();
  }

  std::unique_ptr<SnapshotReader> reader() const {
    return must(SnapshotReader::open({watched, repository, trust, kTestChunkSize}, last,
                                     keys().repository, &keys().recovery, locator));
  }

  /// Whether every chunk came as it was.
  base::Status read_disk(const SnapshotReader& from, SegmentChecks* with) const {
    std::uint64_t bytes = 0;
    const auto sink = [&bytes](std::uint64_t offset,
                               base::ByteView content) -> base::Status {
      REQUIRE(reinterpret_cast<std::uintptr_t>(content.data()) % 4096 == 0);
      for (std::size_t at = 0; at < content.size(); at += kTestChunkSize) {
        const auto expected = noise(kTestChunkSize, (offset + at) / kTestChunkSize);
        REQUIRE(std::ranges::equal(content.subspan(at, kTestChunkSize), expected));
      }
      bytes += content.size();
      return base::Done{};
    };
    RETURN_IF_ERROR(from.read(component_of(from, "disk"), sink, 1, {}, with));
    CHECK(bytes == kChunks * kTestChunkSize);
    return base::Done{};
  }

  base::Bytes& bytes() { return store.objects.at(last.name); }
};

/// Of `ranges` those that lie where segments do, and are more than a header block.
std::vector<Range> in_segments(const std::vector<Range>& ranges, const Volume& volume) {
  std::vector<Range> found;
  for (const Range& range : ranges) {
    const bool is_tail = range.begin + (std::uint64_t{100} << 10U) > volume.size;
    if (range.object == volume.name && range.end - range.begin > 100'000 && !is_tail) {
      found.push_back(range);
    }
  }
  return found;
}

}  // namespace

TEST_CASE("a segment is read once, in order, and its frames taken from it",
          "[archive][reader]") {
  Written written;
  REQUIRE(written.checks.add(written.last));
  const auto reader = written.reader();
  written.watched.ranges.clear();
  REQUIRE(written.read_disk(*reader, &written.checks));
  REQUIRE(written.checks.check_rest(1, {}, {}));
  const auto ranges = in_segments(written.watched.ranges, written.last);
  REQUIRE(ranges.size() == 4);
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    CHECK(ranges[i].begin == ranges[i - 1].end);
  }
  CHECK(ranges.back().end - ranges.front().begin > Written::kChunks * kTestChunkSize);
}

TEST_CASE("without checks, or once they are done, only what is wanted is read",
          "[archive][reader]") {
  Written written;
  REQUIRE(written.checks.add(written.last));
  const auto reader = written.reader();
  const bool is_checked = GENERATE(false, true);
  if (is_checked) REQUIRE(written.checks.check_rest(1, {}, {}));
  written.watched.ranges.clear();
  REQUIRE(written.read_disk(*reader, is_checked ? &written.checks : nullptr));
  const auto ranges = in_segments(written.watched.ranges, written.last);
  CHECK(ranges.size() < 12);
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    CHECK(ranges[i].begin >= ranges[i - 1].end);
  }
  for (const Range& range : ranges) CHECK(range.end - range.begin <= 4U << 20U);
}

TEST_CASE("a place that cannot be is not looked at", "[archive][reader]") {
  Written written;
  for (auto& [id, places] : written.locator.places) {
    const ChunkLocation real = places.front();
    places = {{real.volume, 0, 0},
              {real.volume, 0, 0xffffffff},
              {real.volume, std::uint64_t{1} << 62U, 500},
              real};
  }
  const auto reader = written.reader();
  written.watched.ranges.clear();
  REQUIRE(written.read_disk(*reader, nullptr));
  for (const Range& range : written.watched.ranges) {
    CHECK(range.end > range.begin);
    CHECK(range.end <= written.last.size);
  }
}

TEST_CASE("what lies between the chunks that are wanted is jumped over",
          "[archive][reader]") {
  ArchiveFixture fixture;
  constexpr std::uint64_t kChunks = 20;
  {
    const auto writer = must(fixture.begin());
    const auto begin = [&](std::string name) {
      return must(writer->add_component("disk", std::move(name), IdScope::kShared,
                                        kChunks * kTestChunkSize));
    };
    const auto wanted = begin("vda");
    const auto other = begin("vdb");
    for (std::uint64_t i = 0; i < kChunks; ++i) {
      REQUIRE(wanted->put(i, noise(kTestChunkSize, i)));
      REQUIRE(other->put(i, noise(kTestChunkSize, 100 + i)));
    }
    REQUIRE(wanted->finish({}));
    REQUIRE(other->finish({}));
    must(writer->commit(ArchiveFixture::description(), {}, {}));
  }
  const std::string name = volume_name(ArchiveId::from(repeated(16, 0xa0)), 1);
  const Volume last = must(fixture.open(name));
  const TestLocator locator = fixture.locate_all();
  const WatchedStore watched(fixture.store);
  const auto reader = must(SnapshotReader::open(
      {watched, fixture.repository, fixture.trust, kTestChunkSize}, last,
      ArchiveFixture::keys().repository, &ArchiveFixture::keys().recovery, locator));
  watched.ranges.clear();
  const auto sink = [](std::uint64_t, base::ByteView) -> base::Status {
    return base::Done{};
  };
  REQUIRE(reader->read(component_of(*reader, "disk"), sink, 1, {}, nullptr));
  std::uint64_t bytes = 0;
  for (const Range& range : watched.ranges) bytes += range.end - range.begin;
  CHECK(bytes < kChunks * kTestChunkSize * 3 / 2);
}

TEST_CASE("a byte that was changed is found, where it is read and where it is not",
          "[archive][reader]") {
  Written written;
  REQUIRE(written.checks.add(written.last));
  const auto reader = written.reader();
  const auto flip = [&written](std::uint64_t at) {
    written.bytes()[at] ^= std::byte{1};
  };
  std::uint64_t segment = 0;

  SECTION("in a frame") {
    flip(written.locator.places.begin()->second.front().offset + 200);
    const auto read = written.read_disk(*reader, &written.checks);
    REQUIRE_FALSE(read);
    CHECK(read.error().code() == base::ErrorCode::kCorrupt);
    CHECK(place_of(read.error(), "rule") == "V8");
    CHECK(place_of(read.error(), "volume") == written.last.name);
    CHECK(place_of(read.error(), "member").starts_with("segments/0000000"));
  }
  SECTION("in segment 2, of which nothing was read") {
    segment = written.checks.find(written.last.name, 9 << 20)->segment.begin;
    flip(segment + kTarBlock + 17);
    const auto checked = written.checks.check_rest(2, {}, {});
    REQUIRE_FALSE(checked);
    CHECK(place_of(checked.error(), "rule") == "V8");
    CHECK(place_of(checked.error(), "member") == "segments/00000002");
    CHECK(place_of(checked.error(), "volume") == written.last.name);
  }
  SECTION("in its header block, since it was opened") {
    segment = written.checks.find(written.last.name, 9 << 20)->segment.begin;
    flip(segment + 100);
    const auto checked = written.checks.check_rest(2, {}, {});
    REQUIRE_FALSE(checked);
    CHECK(place_of(checked.error(), "rule") == "V6");
  }
}

TEST_CASE("a header block that was changed names its own member", "[archive][reader]") {
  Written written;
  REQUIRE(written.checks.add(written.last));
  const std::uint64_t segment =
      written.checks.find(written.last.name, 9 << 20)->segment.begin;
  // Any of its bytes; those of its size among them.
  for (const std::uint64_t at : {0U, 124U, 127U, 131U, 134U, 135U, 150U, 511U}) {
    CAPTURE(at);
    written.bytes()[segment + at] ^= std::byte{1};
    SegmentChecks anew(written.store, written.trust);
    const auto added = anew.add(written.last);
    REQUIRE_FALSE(added);
    CHECK(place_of(added.error(), "member") == "segments/00000002");
    written.bytes()[segment + at] ^= std::byte{1};
  }
}

TEST_CASE("the bytes after a segment are zero", "[archive][reader]") {
  ArchiveFixture fixture;
  const auto snapshot = must(fixture.write(default_content()));
  const Volume last = must(fixture.open(volume_name(snapshot.id, 1)));
  SegmentChecks checks(fixture.store, fixture.trust);
  REQUIRE(checks.add(last));
  const auto entries = must(open_index(last, ArchiveFixture::keys().repository));
  const CheckedSegment* segment = checks.find(last.name, entries.front().offset);
  REQUIRE(segment != nullptr);
  const std::uint64_t end = segment->segment.content_end();
  REQUIRE(end % kTarBlock != 0);
  fixture.store.objects.at(last.name)[end] = std::byte{1};
  const auto checked = checks.check_rest(1, {}, {});
  REQUIRE_FALSE(checked);
  CHECK(checked.error().places().front() == base::Error::Place{"rule", "V6"});
}

TEST_CASE("a check that is stopped says so, and tells how far it is", "[archive]") {
  Written written;
  REQUIRE(written.checks.add(written.last));
  std::stop_source stop;
  std::uint64_t told = 0;
  const auto checked = written.checks.check_rest(
      1,
      [&](std::uint64_t bytes) {
        told = bytes;
        stop.request_stop();
      },
      stop.get_token());
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code() == base::ErrorCode::kInterrupted);
  CHECK(told > 0);
  CHECK(told < written.checks.bytes() / 2);
}

}  // namespace sealift::archive
