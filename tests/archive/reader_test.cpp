// What a reader does with places that lie, keys that are missing, and a stop.
#include <thread>

#include "archive/frame.h"
#include "archive/frame_scan.h"
#include "archive/limits.h"
#include "tests/archive/archive_fixture.h"
#include "tests/support/catch.h"

namespace sealift::archive {

namespace {

struct Written : ArchiveFixture {
  TestContent content = default_content();
  CommittedSnapshot snapshot = must(write(content));
  Volume last = must(open(volume_name(snapshot.id, 1)));
  TestLocator locator = locate_all();
  VolumeSet volumes{store, repository, trust};
};

}  // namespace

TEST_CASE("a place that lies costs time only", "[archive][reader]") {
  Written written;
  const std::string& name = written.last.name;
  for (auto& [id, places] : written.locator.places) {
    const ChunkLocation real = places.front();
    places = {{name, 0, 500},
              {name, real.offset + 1, real.stored_size},
              {name, real.offset, real.stored_size + 1},
              {name, real.offset, real.stored_size - 1},
              {name, real.offset, 0},
              {name, real.offset, 0xffffffff},
              {name, ~std::uint64_t{0}, real.stored_size},
              {"archives/none.tar", 0, 500},
              real};
  }
  // Another chunk's place, of the same size or not.
  const ChunkLocation other = written.locator.places.begin()->second.back();
  for (auto& [id, places] : written.locator.places) {
    places.insert(places.begin(), other);
  }
  const auto reader = must(written.read(written.last, written.locator));
  CHECK(must(reader->read_whole(component_of(*reader, "disk"), 1U << 24U)) ==
        whole_disk(written.content));
  CHECK(must(reader->read_whole(component_of(*reader, "guest-state"), 1U << 24U)) ==
        written.content.state);
  CHECK(written.store.largest_read() <= kMaxFrameSize);
}

TEST_CASE("where every place lies, the volumes show where the frames are",
          "[archive][reader]") {
  ArchiveFixture fixture;
  fixture.options.volume_size = 1;
  const TestContent content = default_content();
  const auto snapshot = must(fixture.write(content));
  REQUIRE(snapshot.volumes > 2);
  const Volume last = must(fixture.open(volume_name(snapshot.id, snapshot.volumes)));
  TestLocator locator = fixture.locate_all();

  SECTION("each chunk at the place of the one after it") {
    auto first = locator.places.begin()->second;
    for (auto at = locator.places.begin(); at != locator.places.end(); ++at) {
      const auto next = std::next(at);
      at->second = next == locator.places.end() ? first : next->second;
    }
  }
  SECTION("where no frame begins, or beyond the end") {
    std::uint64_t number = 0;
    for (auto& [id, places] : locator.places) {
      places.front().offset += ++number % 2 == 0 ? 1 : std::uint64_t{1} << 50U;
    }
  }
  SECTION("in a volume that is not there") {
    for (auto& [id, places] : locator.places) places.front().volume = "archives/x.tar";
  }
  SECTION("no place at all") { locator.places.clear(); }

  const auto reader = must(fixture.read(last, locator));
  CHECK(must(reader->read_whole(component_of(*reader, "disk"), 1U << 24U)) ==
        whole_disk(content));
  CHECK(must(reader->read_whole(component_of(*reader, "guest-state"), 1U << 24U)) ==
        content.state);
  CHECK(reader->volumes_needed({}));
}

TEST_CASE("a volume that nobody signed is not looked through", "[archive][reader]") {
  Written written;
  // The chunk's only frame now lies in a volume whose signature does not fit.
  const std::string copy = volume_name(ArchiveId::from(repeated(16, 0xb0)), 1);
  written.store.objects[copy] = written.store.objects.at(written.last.name);
  base::Bytes& bytes = written.store.objects.at(written.last.name);
  const ChunkLocation place = written.locator.places.begin()->second.front();
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(place.offset), 4,
              std::byte{0});
  const FrameScan scan(written.store, written.volumes);
  CHECK(must(scan.locate(written.locator.places.begin()->first)).empty());
}

TEST_CASE("a chunk that lies nowhere is named", "[archive][reader]") {
  ArchiveFixture fixture;
  fixture.options.volume_size = 1;
  const auto snapshot = must(fixture.write(default_content()));
  const Volume last = must(fixture.open(volume_name(snapshot.id, snapshot.volumes)));
  const TestLocator nothing;
  for (std::uint32_t number = 1; number < snapshot.volumes; ++number) {
    fixture.store.objects.erase(volume_name(snapshot.id, number));
  }
  const auto reader = must(fixture.read(last, nothing));
  const auto read = reader->read_whole(component_of(*reader, "disk"), 1U << 24U);
  REQUIRE_FALSE(read);
  CHECK(read.error().code() == base::ErrorCode::kCorrupt);
  CHECK(read.error().what() ==
        "a part of the snapshot lies in no volume of the repository");
  CHECK(place_of(read.error(), "disk") == "vda");
}

TEST_CASE("without a recovery key maps are read and contents are not",
          "[archive][reader]") {
  const Written written;
  const auto reader = must(written.read(written.last, written.locator, nullptr));
  CHECK(must(reader->volumes_needed({})) == std::vector{written.last.name});
  CHECK(reader->manifest().components.size() == 4);
  const auto read = reader->read_whole(component_of(*reader, "config"), 100);
  REQUIRE_FALSE(read);
  CHECK(read.error().code() == base::ErrorCode::kWrongKey);
}

TEST_CASE(
    "a recovery key of somebody else is a wrong key, and the right ones are named",
    "[archive][reader]") {
  const Written written;
  const auto stranger = keyvault::RecoveryKey::generate(2048).value();
  const auto reader = written.read(written.last, written.locator, &stranger);
  REQUIRE_FALSE(reader);
  CHECK(reader.error().code() == base::ErrorCode::kWrongKey);
  CHECK(reader.error().places().front().name == "E2");
  REQUIRE(reader.error().next_steps().size() == 2);
  CHECK(reader.error().next_steps()[0].ends_with(
      TestKeys::get().recovery.recipient().id().hex()));
}

TEST_CASE("the keys of another repository open no manifest and no index",
          "[archive][reader]") {
  const Written written;
  const auto& other = TestKeys::get().other_repository;
  const auto manifest = open_manifest(written.last, other);
  REQUIRE_FALSE(manifest);
  CHECK(manifest.error().code() == base::ErrorCode::kWrongKey);
  CHECK(manifest.error().places().front().name == "K2");
  CHECK(open_index(written.last, other).error().code() == base::ErrorCode::kWrongKey);
}

TEST_CASE("reading stops when it is told to", "[archive][reader]") {
  const Written written;
  const auto reader = must(written.read(written.last, written.locator));
  std::stop_source stop;
  unsigned chunks = 0;
  const auto read = reader->read(
      component_of(*reader, "disk"),
      [&](std::uint64_t, base::ByteView) -> base::Status {
        ++chunks;
        stop.request_stop();
        return base::Done{};
      },
      1, stop.get_token());
  REQUIRE_FALSE(read);
  CHECK(read.error().code() == base::ErrorCode::kInterrupted);
  CHECK(chunks == 1);
}

TEST_CASE("what the sink refuses ends the reading", "[archive][reader]") {
  const Written written;
  const auto reader = must(written.read(written.last, written.locator));
  const auto read =
      reader->read(component_of(*reader, "disk"),
                   [](std::uint64_t, base::ByteView) -> base::Status {
                     return base::Error(base::ErrorCode::kIo, "the target is full");
                   },
                   4, {});
  REQUIRE_FALSE(read);
  CHECK(read.error().what() == "the target is full");
}

TEST_CASE("a component larger than its limit is not read", "[archive][reader]") {
  const Written written;
  const auto reader = must(written.read(written.last, written.locator));
  CHECK_FALSE(reader->read_whole(component_of(*reader, "disk"), 10));
}

TEST_CASE("no pair of key and counter is used twice in an archive",
          "[archive][secrecy]") {
  ArchiveFixture fixture;
  fixture.options.volume_size = 100'000;
  std::set<std::pair<std::string, std::uint64_t>> seen;
  std::mutex guard;
  bool is_damaged = false;
  std::size_t sealings = 0;
  // Every third frame does not open at first, and so is sealed again.
  fixture.on_sealed = [&](std::span<std::byte> frame) {
    const std::lock_guard lock(guard);
    const FrameHeader header = must(decode_frame_header(frame));
    CHECK(seen.insert({header.key.hex(), header.counter}).second);
    is_damaged = !is_damaged && ++sealings % 3 == 0;
    if (is_damaged) frame.back() ^= std::byte{1};
  };
  const auto snapshot = must(fixture.write(default_content()));
  CHECK(seen.size() > 12);
  std::set<std::uint64_t> counters;
  for (const auto& [key, counter] : seen) counters.insert(counter);
  CHECK(counters.size() == seen.size());  // One counter over both keys.
  CHECK(snapshot.volumes > 1);
  for (const auto& [name, bytes] : fixture.store.objects) {
    CHECK(check_every_byte(fixture.store, must(fixture.open(name)), fixture.trust));
  }
}

TEST_CASE("a frame that does not open twice ends the archive", "[archive]") {
  ArchiveFixture fixture;
  fixture.on_sealed = [](std::span<std::byte> frame) { frame[90] ^= std::byte{1}; };
  const auto writer = must(fixture.begin());
  const auto stored = ArchiveFixture::put_content(*writer, default_content());
  REQUIRE_FALSE(stored);
  CHECK(stored.error().code() == base::ErrorCode::kCorrupt);
  CHECK_FALSE(writer->commit(ArchiveFixture::description(), {}, fixture.position));
  CHECK(fixture.store.objects.empty());
}

TEST_CASE("an archive in which one frame failed is never committed", "[archive]") {
  ArchiveFixture fixture;
  bool is_failing = true;
  fixture.on_sealed = [&is_failing](std::span<std::byte> frame) {
    if (is_failing) frame[90] ^= std::byte{1};
  };
  const auto writer = must(fixture.begin());
  const base::Bytes file = repeated(40, 'x');
  CHECK_FALSE(writer->add_file("config", "domain.xml", file, {}));
  is_failing = false;
  // Equal content counts on the frame that failed.
  CHECK(writer->add_file("config", "same.xml", file, {}));
  const auto snapshot =
      writer->commit(ArchiveFixture::description(), {}, fixture.position);
  REQUIRE_FALSE(snapshot);
  CHECK(snapshot.error().code() == base::ErrorCode::kCorrupt);
  CHECK(fixture.store.objects.empty());
}

TEST_CASE("what is known elsewhere is never asked for private chunks",
          "[archive][secrecy]") {
  struct EverythingKnown final : KnownChunks {
    base::Result<bool> contains(const ChunkId&) const override { return true; }
  } known;
  ArchiveFixture fixture;
  fixture.known = &known;
  const auto writer = must(fixture.begin());
  REQUIRE(ArchiveFixture::put_content(*writer, default_content()));
  CHECK(writer->counts().new_chunks == 3);  // The domain and the vTPM's state.
}

TEST_CASE("whatever step of storage fails, only whole volumes are visible",
          "[archive][crash]") {
  const TestContent content = default_content();
  std::size_t steps = 0;
  {
    ArchiveFixture fixture;
    fixture.options.volume_size = 150'000;
    must(fixture.write(content));
    steps = fixture.store.steps();
  }
  for (std::size_t step = 0; step < steps; ++step) {
    CAPTURE(step);
    ArchiveFixture fixture;
    fixture.options.volume_size = 150'000;
    fixture.store.fail_from(step);
    const auto snapshot = fixture.write(content);
    REQUIRE_FALSE(snapshot);
    CHECK(snapshot.error().code() == base::ErrorCode::kIo);
    for (const auto& [name, bytes] : fixture.store.objects) {
      const Volume volume = must(fixture.open(name));
      CHECK(check_every_byte(fixture.store, volume, fixture.trust));
      CHECK_FALSE(volume.snapshot);
    }
  }
}

}  // namespace sealift::archive
