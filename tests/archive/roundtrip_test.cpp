// What goes into an archive comes out of it.
#include "tests/archive/archive_fixture.h"
#include "tests/support/catch.h"

namespace sealift::archive {

TEST_CASE("a snapshot comes back byte for byte", "[archive]") {
  ArchiveFixture fixture;
  const TestContent content = default_content();
  SECTION("from one volume") {}
  SECTION("from a volume a frame") { fixture.options.volume_size = 1; }
  SECTION("from a few volumes") { fixture.options.volume_size = 100'000; }
  SECTION("from volumes of three frames") { fixture.options.volume_frames = 3; }

  const CommittedSnapshot snapshot = fixture.write(content).value();
  const bool rolls = fixture.options.volume_frames == 3 ||
                     fixture.options.volume_size != ArchiveOptions().volume_size;
  CHECK((snapshot.volumes > 1) == rolls);

  std::uint64_t stored = 0;
  for (const auto& [name, bytes] : fixture.store.objects) stored += bytes.size();
  CHECK(snapshot.stored_bytes == stored);
  CHECK(snapshot.volumes == fixture.store.objects.size());
  for (const auto& [name, bytes] : fixture.store.objects) {
    const Volume volume = fixture.open(name).value();
    CHECK(check_every_byte(fixture.store, volume, fixture.trust));
    CHECK(volume.snapshot.has_value() == (volume.number == snapshot.volumes));
  }

  const Volume last = fixture.open(volume_name(snapshot.id, snapshot.volumes)).value();
  CHECK(last.snapshot->record_digest == snapshot.record_digest);
  const TestLocator locator = fixture.locate_all();
  // Each recipient alone reads it.
  const auto* identity = snapshot.volumes == 1 ? &TestKeys::get().recovery
                                               : &TestKeys::get().other_recovery;
  const auto reader = fixture.read(last, locator, identity).value();

  CHECK(reader->record().kind == "snapshot");
  CHECK(reader->protection_keys().size() == 2);
  CHECK(reader->protection_keys()[1] ==
        std::pair<std::string, std::string>("protection-key.2.json", "{}"));
  const Manifest& manifest = reader->manifest();
  CHECK(manifest.vm_name == ArchiveFixture::description().vm_name);
  CHECK(manifest.components.size() == 4);
  CHECK(manifest.source_bytes == content.disk_size + content.state.size() + 3);
  CHECK(manifest.changed_bytes == 3 * kTestChunkSize + 1000 + content.state.size() + 3);

  const auto read = [&](std::string_view kind) {
    return must(reader->read_whole(component_of(*reader, kind), 1U << 24U));
  };
  CHECK(read("disk") == whole_disk(content));
  CHECK(read("config") == content.domain);
  CHECK(read("guest-state") == content.state);
  CHECK(read("firmware-vars").empty());
  CHECK(reader->volumes_needed({}).value().size() == snapshot.volumes);
}

TEST_CASE("a disk goes on from an earlier snapshot with what changed alone",
          "[archive]") {
  ArchiveFixture fixture;
  TestContent content = default_content();
  const CommittedSnapshot first = fixture.write(content).value();
  const Volume first_volume = fixture.open(volume_name(first.id, 1)).value();
  TestLocator locator = fixture.locate_all();
  // As a host that backs up reads it: without a recovery key.
  const auto earlier = fixture.read(first_volume, locator, nullptr).value();
  TreeView view = must(earlier->view(component_of(*earlier, "disk")));

  SECTION("the earlier tree knows what a chunk holds, by its id") {
    CHECK(view.matches(must(view.id_at(0)), content.disk[0]));
    CHECK(view.matches(must(view.id_at(5)), content.disk[0]));
    CHECK_FALSE(view.matches(must(view.id_at(0)), content.disk[2]));
    CHECK_FALSE(view.matches(must(view.id_at(0)), repeated(kTestChunkSize, 0)));
    CHECK(view.matches(must(view.id_at(1)), repeated(kTestChunkSize, 0)));
    CHECK_FALSE(view.matches(must(view.id_at(1)), content.disk[0]));
    CHECK(view.matches(must(view.id_at(7)), content.disk[7]));
    CHECK(must(view.id_at(1)).is_zero());
  }
  SECTION("only a disk's tree can be looked at so") {
    CHECK(earlier->view(component_of(*earlier, "guest-state")).error().code() ==
          base::ErrorCode::kDefect);
  }
  SECTION("changed, new and emptied chunks") {
    fixture.position = {2, first.record_digest};
    const auto writer = fixture.begin(0xb0).value();
    const auto disk = must(writer->continue_disk("vda", view));
    const std::map<std::uint64_t, base::Bytes> changes{{0, repeated(kTestChunkSize, 0)},
                                                       {1, noise(kTestChunkSize, 9)},
                                                       {7, noise(1000, 10)}};
    for (const auto& [number, chunk] : changes) {
      content.disk[number] = chunk;
      REQUIRE(disk->put(number, chunk));
    }
    REQUIRE(disk->finish({}));
    CHECK(writer->counts().data_bytes == kTestChunkSize + 1000);
    const auto second =
        must(writer->commit(ArchiveFixture::description(), {}, fixture.position));
    locator = fixture.locate_all();
    const auto reader =
        must(fixture.read(must(fixture.open(volume_name(second.id, 1))), locator));
    CHECK(must(reader->read_whole(component_of(*reader, "disk"), 1U << 24U)) ==
          whole_disk(content));
    CHECK(must(reader->volumes_needed({})).size() == 2);
  }
}

TEST_CASE("an archive of nothing is an archive", "[archive]") {
  const ArchiveFixture fixture;
  const auto writer = fixture.begin().value();
  const auto snapshot =
      writer->commit(ArchiveFixture::description(), {}, fixture.position).value();

  const Volume last = fixture.open(volume_name(snapshot.id, 1)).value();
  CHECK(check_every_byte(fixture.store, last, fixture.trust));
  CHECK(open_index(last, TestKeys::get().repository).value().empty());
  CHECK(open_manifest(last, TestKeys::get().repository)
            .value()
            .manifest.components.empty());
}

TEST_CASE("chunks are stored once in an archive, and not if they are known",
          "[archive]") {
  ArchiveFixture fixture;
  TestContent content;
  for (std::uint64_t number = 0; number < 7; ++number) {
    content.disk[number] = repeated(kTestChunkSize, 'a');
  }
  const auto writer = fixture.begin().value();
  REQUIRE(ArchiveFixture::put_content(*writer, content));
  const ArchiveCounts counts = writer->counts();
  CHECK(counts.chunks == 8);  // The domain's too.
  CHECK(counts.new_chunks == 2);
  CHECK(counts.new_bytes == kTestChunkSize + 3);
  CHECK(counts.data_bytes == std::uint64_t{7} * kTestChunkSize + 3);
  const auto first =
      writer->commit(ArchiveFixture::description(), {}, fixture.position).value();

  struct Known final : KnownChunks {
    TestLocator locator;
    base::Result<bool> contains(const ChunkId& id) const override {
      return locator.places.contains(id);
    }
  } known;
  known.locator = fixture.locate_all();
  fixture.known = &known;
  const auto again = fixture.begin(0xb0).value();
  REQUIRE(ArchiveFixture::put_content(*again, content));
  CHECK(again->counts().new_chunks == 1);  // Private chunks are never known.
  const auto second =
      again->commit(ArchiveFixture::description(), {}, fixture.position).value();

  // Its disk lies in the first archive, sealed under that archive's key.
  const Volume last = fixture.open(volume_name(second.id, 1)).value();
  const TestLocator locator = fixture.locate_all();
  const auto reader = fixture.read(last, locator).value();
  CHECK(reader->read_whole(component_of(*reader, "disk"), 1U << 24U).value() ==
        whole_disk(content));
  CHECK(reader->volumes_needed({}).value() ==
        std::vector<std::string>{volume_name(first.id, 1), volume_name(second.id, 1)});
}

TEST_CASE("a component that is given up leaves its name to another", "[archive]") {
  const ArchiveFixture fixture;
  const auto writer = fixture.begin().value();
  const std::uint64_t size = std::uint64_t{2} * kTestChunkSize;
  {
    const auto given_up =
        must(writer->add_component("disk", "vda", IdScope::kShared, size));
    REQUIRE(given_up->put(0, repeated(kTestChunkSize, 1)));
  }
  CHECK(writer->counts().source_bytes == 0);
  const auto disk = must(writer->add_component("disk", "vda", IdScope::kShared, size));
  REQUIRE(disk->put(1, repeated(kTestChunkSize, 2)));
  REQUIRE(disk->finish({}));
  const auto snapshot =
      must(writer->commit(ArchiveFixture::description(), {}, fixture.position));
  const Volume last = must(fixture.open(volume_name(snapshot.id, snapshot.volumes)));
  const TestLocator locator = fixture.locate_all();
  const auto reader = must(fixture.read(last, locator, &TestKeys::get().recovery));
  REQUIRE(reader->manifest().components.size() == 1);
  base::Bytes whole(kTestChunkSize);
  const base::Bytes second = repeated(kTestChunkSize, 2);
  whole.insert(whole.end(), second.begin(), second.end());
  CHECK(must(reader->read_whole(component_of(*reader, "disk"), size)) == whole);
}

TEST_CASE("a disk of holes needs no frame, however large it is", "[archive]") {
  const ArchiveFixture fixture;
  const auto writer = fixture.begin().value();
  const std::uint64_t size = std::uint64_t{1} << 50U;
  const auto disk =
      writer->add_component("disk", "vda", IdScope::kShared, size).value();
  REQUIRE(disk->finish({}));
  const auto snapshot =
      writer->commit(ArchiveFixture::description(), {}, fixture.position).value();

  CHECK(writer->counts().stored_bytes == 0);
  const Volume last = fixture.open(volume_name(snapshot.id, 1)).value();
  const TestLocator locator;
  const auto reader = fixture.read(last, locator).value();
  CHECK(component_of(*reader, "disk").root.is_zero());
  CHECK(component_of(*reader, "disk").depth == 5);
}

TEST_CASE("a chunk may follow a hole of any length", "[archive]") {
  const ArchiveFixture fixture;
  const auto writer = fixture.begin().value();
  const std::uint64_t chunk = kTestChunkSize;
  const std::uint64_t last = 70'000;
  const auto disk =
      writer->add_component("disk", "vda", IdScope::kShared, (last + 1) * chunk)
          .value();
  const base::Bytes content(chunk, std::byte{0x5a});
  REQUIRE(disk->put(0, content));
  REQUIRE(disk->put(last, content));
  REQUIRE(disk->finish_below(last + 1));
  REQUIRE_FALSE(disk->put(last, content));
}

TEST_CASE("a disk larger than memory is read chunk by chunk", "[archive]") {
  const ArchiveFixture fixture;
  const auto writer = fixture.begin().value();
  const std::uint64_t size = (std::uint64_t{1} << 40U) - 7;
  const auto disk =
      writer->add_component("disk", "vda", IdScope::kShared, size).value();
  const std::uint64_t last_chunk = size / kTestChunkSize;
  const auto tail = noise(size % kTestChunkSize, 9);
  REQUIRE(disk->put(3, noise(kTestChunkSize, 8)));
  REQUIRE(disk->finish_below(last_chunk));
  REQUIRE(disk->put(last_chunk, tail));
  REQUIRE(disk->finish({}));
  const auto snapshot =
      writer->commit(ArchiveFixture::description(), {}, fixture.position).value();

  const Volume last = fixture.open(volume_name(snapshot.id, 1)).value();
  const TestLocator locator = fixture.locate_all();
  const auto reader = fixture.read(last, locator).value();
  std::map<std::uint64_t, base::Bytes> found;
  REQUIRE(reader->read(
      component_of(*reader, "disk"),
      [&found](std::uint64_t offset, base::ByteView chunk) -> base::Status {
        found[offset].assign(chunk.begin(), chunk.end());
        return base::Done{};
      },
      1, {}));
  CHECK(found.size() == 2);
  CHECK(found[std::uint64_t{3} * kTestChunkSize] == noise(kTestChunkSize, 8));
  CHECK(found[last_chunk * kTestChunkSize] == tail);
}

TEST_CASE("a writer that is misused says that the program has a defect", "[archive]") {
  ArchiveFixture fixture;
  const auto code = [](const auto& result) {
    REQUIRE_FALSE(result);
    return result.error().code();
  };
  const auto writer = fixture.begin().value();
  const auto disk = writer
                        ->add_component("disk", "vda", IdScope::kShared,
                                        std::uint64_t{2} * kTestChunkSize)
                        .value();
  const base::Bytes chunk(kTestChunkSize, std::byte{1});

  CHECK(code(disk->put(2, chunk)) == base::ErrorCode::kDefect);
  CHECK(code(disk->put(0, base::ByteView(chunk).first(1))) == base::ErrorCode::kDefect);
  REQUIRE(disk->put(0, chunk));
  REQUIRE(disk->finish_below(1));
  CHECK(code(disk->put(0, chunk)) == base::ErrorCode::kDefect);
  CHECK(code(writer->add_component("disk", "vda", IdScope::kShared, 1)) ==
        base::ErrorCode::kDefect);
  CHECK(code(writer->add_component("no kind", "vdb", IdScope::kShared, 1)) ==
        base::ErrorCode::kDefect);
  fixture.settings.zstd_level = 99;
  CHECK(code(fixture.begin()) == base::ErrorCode::kDefect);
}

TEST_CASE("writers compress at the repository's level", "[archive]") {
  // Long words from a small list in no order: the levels differ on them.
  base::Bytes text;
  std::uint64_t state = 7;
  while (text.size() < kTestChunkSize) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const std::string word = std::to_string((state >> 33U) % 500 * 987654321987U);
    const base::ByteView bytes = base::as_bytes(word);
    text.insert(text.end(), bytes.begin(), bytes.end());
  }
  text.resize(kTestChunkSize);
  TestContent content;
  content.disk[0] = text;
  const auto stored_at = [&content](unsigned level) {
    ArchiveFixture fixture;
    fixture.settings.zstd_level = level;
    return must(fixture.write(content)).stored_bytes;
  };
  CHECK(stored_at(19) < stored_at(1));
}

TEST_CASE("ids of a finished volume are forgotten when what lies in it is known",
          "[archive]") {
  ArchiveFixture fixture;
  fixture.options.volume_size = 1;  // A volume a frame.
  bool is_known = true;
  std::vector<std::string> told;
  fixture.options.on_volume = [&](const ObjectInfo& volume) {
    told.push_back(volume.name);
    CHECK(must(fixture.open(volume.name)).size == volume.size);
    return is_known;
  };
  const auto put_twice = [&](IdScope scope) {
    const auto writer = must(fixture.begin());
    const bool is_shared = scope == IdScope::kShared;
    const auto component =
        must(writer->add_component(is_shared ? "disk" : "runtime-state", "vda", scope,
                                   std::uint64_t{2} * kTestChunkSize));
    for (const std::uint64_t number : {0U, 1U}) {
      CHECK(component->put(number, noise(kTestChunkSize, 1)));
    }
    return writer->counts().new_chunks;
  };
  SECTION("what is known is not asked for here") {
    CHECK(put_twice(IdScope::kShared) == 2);
    CHECK(told.size() == 2);
  }
  SECTION("what is not known is remembered") {
    is_known = false;
    CHECK(put_twice(IdScope::kShared) == 1);
    CHECK(told.size() == 1);
  }
  SECTION("nobody else knows what is private") {
    CHECK(put_twice(IdScope::kPrivate) == 1);
  }
}

}  // namespace sealift::archive
