#include <fstream>
#include <limits>
#include <set>

#include "archive/frame.h"
#include "archive/limits.h"
#include "archive/portable_archive.h"
#include "archive/portable_plan.h"
#include "archive/portable_writer.h"
#include "archive/volume_tail.h"
#include "base/byte_count.h"
#include "keyvault/protection_key.h"
#include "tests/archive/archive_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/failing_filesystem.h"
#include "tests/support/scratch_folder.h"

namespace sealift::archive {

namespace {

namespace fs = std::filesystem;

struct Known final : KnownChunks {
  TestLocator locator;
  base::Result<bool> contains(const ChunkId& id) const override {
    return locator.places.contains(id);
  }
};

/// Two snapshots in a repository, of which the second leans on the first.
struct PortableScene {
  ArchiveFixture fixture;
  Known known;
  support::ScratchFolder folder;
  TestContent content = default_content();
  ArchiveId id;
  std::string last_name;
  const keyvault::SigningKey& exporter = ArchiveFixture::keys().stranger;

  explicit PortableScene(std::uint64_t first_chunks = 0) {
    for (std::uint64_t number = 8; number < 8 + first_chunks; ++number) {
      content.disk[number] = noise(kTestChunkSize, number);
      content.disk_size = (number + 1) * kTestChunkSize + 1000;
    }
    if (first_chunks > 0) content.disk[7] = noise(kTestChunkSize, 2);
    must(fixture.write(content, 0xa0));
    known.locator = fixture.locate_all();
    fixture.known = &known;
    content.disk[2] = noise(kTestChunkSize, 99);
    const auto second = must(fixture.write(content, 0xb0));
    id = second.id;
    last_name = volume_name(id, second.volumes);
  }

  fs::path out() const { return folder.path() / "web 01.tar"; }

  base::Result<std::vector<PortableFile>> write(
      std::optional<std::uint64_t> volume_size = {},
      base::Filesystem& filesystem = base::real_filesystem(),
      AddedRecipients* added = nullptr) const {
    const Volume last = must(fixture.open(last_name));
    const TestLocator locator = fixture.locate_all();
    const auto reader = must(fixture.read(last, locator, nullptr));
    const PortableSource source{fixture.reading(), *reader, last,
                                ArchiveFixture::keys().repository};
    return write_portable(
        source, {out(), volume_size, fixture.recipients, added, fixture.created},
        exporter, filesystem, nullptr, {});
  }

  static Trust trust(bool with_exporter = true) {
    std::vector<KnownSigner> known_signers{
        {ArchiveFixture::keys().signer.public_key(), Role::kWriter, {}, {}, "a"}};
    if (with_exporter) {
      known_signers.push_back(
          {ArchiveFixture::keys().stranger.public_key(), Role::kWriter, {}, {}, "b"});
    }
    return Trust(std::move(known_signers));
  }

  static base::Result<std::unique_ptr<PortableArchive>> open(
      const std::vector<fs::path>& files, const std::string& snapshot = "",
      const keyvault::RecoveryKey& identity = ArchiveFixture::keys().recovery) {
    return PortableArchive::open(files, trust(), snapshot, identity);
  }
};

std::vector<fs::path> paths_of(const std::vector<PortableFile>& files) {
  std::vector<fs::path> paths;
  for (const PortableFile& file : files) paths.push_back(file.path);
  return paths;
}

// All that a restore reads, byte for byte, with the recovery key and nothing else.
void check_content(const PortableScene& scene, const PortableArchive& archive,
                   const keyvault::RecoveryKey& identity) {
  const auto reader = must(SnapshotReader::open(archive.source(), archive.last_volume(),
                                                identity, archive.locator()));
  CHECK(must(reader->read_whole(component_of(*reader, "disk"), 1U << 26U)) ==
        whole_disk(scene.content));
  CHECK(must(reader->read_whole(component_of(*reader, "guest-state"), 1U << 24U)) ==
        scene.content.state);
  CHECK(reader->manifest().vm_name == ArchiveFixture::description().vm_name);
  CHECK(reader->protection_keys().size() == 2);
}

/// A snapshot for one recipient, with a protection key. The key comes back.
keyvault::Secret write_for_one(PortableScene& scene) {
  ArchiveFixture& fixture = scene.fixture;
  const keyvault::Recipient& recipient = ArchiveFixture::keys().recovery.recipient();
  fixture.recipients = {recipient};
  fixture.known = &fixture.nothing_known;
  keyvault::Secret key = must(keyvault::Secret::random(kKeySize));
  const auto writer = must(fixture.begin(0xc0));
  must(ArchiveFixture::put_content(*writer, scene.content));
  ProtectionKeyEntry entry;
  entry.recipient = recipient.id();
  entry.key_name = "secret";
  entry.encoding = "RSA_AES_KEY_WRAP_256";
  const auto committed = must(
      writer->commit(ArchiveFixture::description(),
                     {{entry, must(keyvault::wrap_protection_key(key, recipient))}},
                     fixture.position));
  scene.last_name = volume_name(committed.id, committed.volumes);
  return key;
}

/// The real filesystem, of which one step fails: a create, append, publish or remove.
class FailsOnce final : public base::Filesystem {
 public:
  explicit FailsOnce(std::size_t failing) : failing_(failing) {}
  std::size_t steps() const { return steps_; }

  base::Result<std::unique_ptr<base::NewFile>> create(const fs::path& path,
                                                      mode_t mode) override {
    RETURN_IF_ERROR(step());
    ASSIGN_OR_RETURN(auto file, base::real_filesystem().create(path, mode));
    return std::unique_ptr<base::NewFile>(
        std::make_unique<File>(*this, std::move(file)));
  }
  base::Status replace(const fs::path& path, base::ByteView bytes,
                       mode_t mode) override {
    return base::real_filesystem().replace(path, bytes, mode);
  }
  base::Status create_directories(const fs::path& path, mode_t mode) override {
    return base::real_filesystem().create_directories(path, mode);
  }
  base::Status remove(const fs::path& path) override {
    RETURN_IF_ERROR(step());
    return base::real_filesystem().remove(path);
  }

 private:
  class File final : public base::NewFile {
   public:
    File(FailsOnce& all, std::unique_ptr<base::NewFile> real)
        : all_(all), real_(std::move(real)) {}
    base::Status append(base::ByteView bytes) override {
      RETURN_IF_ERROR(all_.step());
      return real_->append(bytes);
    }
    base::Status publish() override {
      RETURN_IF_ERROR(all_.step());
      return real_->publish();
    }

   private:
    FailsOnce& all_;
    std::unique_ptr<base::NewFile> real_;
  };

  base::Status step() {
    if (steps_++ != failing_) return base::Done{};
    return base::Error(base::ErrorCode::kIo, "the test stopped this step");
  }

  std::size_t failing_;
  std::size_t steps_ = 0;
};

void flip(const fs::path& path, std::uint64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const auto byte = static_cast<char>(file.get() ^ 1);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(byte);
}

}  // namespace

TEST_CASE("a recipient who is added opens the files and the protection key",
          "[archive]") {
  PortableScene scene;
  const keyvault::Secret key = write_for_one(scene);
  const keyvault::RecoveryKey& own = ArchiveFixture::keys().recovery;
  const keyvault::RecoveryKey& other = ArchiveFixture::keys().other_recovery;
  {
    const auto files = must(scene.write());
    const auto refused = scene.open(paths_of(files), "", other);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == base::ErrorCode::kWrongKey);
    for (const PortableFile& file : files) fs::remove(file.path);
  }
  AddedRecipients added(own, own, {other.recipient()});
  const auto files = must(scene.write({}, base::real_filesystem(), &added));
  const auto archive = must(scene.open(paths_of(files), "", other));
  const auto reader = must(SnapshotReader::open(
      archive->source(), archive->last_volume(), other, archive->locator()));
  CHECK(must(reader->read_whole(component_of(*reader, "disk"), 1U << 26U)) ==
        whole_disk(scene.content));
  const auto& entries = reader->manifest().protection_keys;
  REQUIRE(entries.size() == 2);
  CHECK(entries[1].recipient == other.recipient().id());
  CHECK(entries[1].member == "protection-key.2.json");
  CHECK(entries[1].key_name == "secret");
  REQUIRE(reader->protection_keys().size() == 2);
  CHECK(reader->protection_keys()[1].first == "protection-key.2.json");
  const auto json = must(
      keyvault::parse_key_json(base::as_bytes(reader->protection_keys()[1].second)));
  const auto opened = must(keyvault::unwrap_protection_key(json, other));
  CHECK(std::ranges::equal(opened.key.view(), key.view()));
  CHECK(scene.open(paths_of(files), "", own));
}

TEST_CASE("a recipient is added with a key that opens the snapshot only", "[archive]") {
  PortableScene scene;
  static_cast<void>(write_for_one(scene));
  const keyvault::RecoveryKey& own = ArchiveFixture::keys().recovery;
  const keyvault::RecoveryKey& other = ArchiveFixture::keys().other_recovery;
  const bool has_archive_key = GENERATE(false, true);
  AddedRecipients added(has_archive_key ? own : other, has_archive_key ? other : own,
                        {other.recipient()});
  const auto refused = scene.write({}, base::real_filesystem(), &added);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == base::ErrorCode::kWrongKey);
  CHECK(fs::is_empty(scene.folder.path()));
}

TEST_CASE("a snapshot leaves its repository in one file", "[archive][portable]") {
  const PortableScene scene;
  const auto files = must(scene.write());
  REQUIRE(files.size() == 1);
  CHECK(files[0].path == scene.out());
  CHECK(files[0].size == fs::file_size(scene.out()));

  for (const auto* identity :
       {&ArchiveFixture::keys().recovery, &ArchiveFixture::keys().other_recovery}) {
    const auto archive = must(PortableScene::open(paths_of(files), "", *identity));
    CHECK(archive->last_volume().archive == scene.id);
    check_content(scene, *archive, *identity);
  }
}

TEST_CASE("what was signed leaves verbatim, and every byte is signed again",
          "[archive][portable]") {
  const PortableScene scene;
  const auto files = must(scene.write());
  const auto archive = must(PortableScene::open(paths_of(files)));
  const Volume stored = must(scene.fixture.open(scene.last_name));
  const Volume& copied = archive->last_volume();
  CHECK(copied.snapshot->text == stored.snapshot->text);
  CHECK(copied.snapshot->signature == stored.snapshot->signature);
  CHECK(copied.snapshot->manifest_frame == stored.snapshot->manifest_frame);
  CHECK(copied.snapshot->protection_keys == stored.snapshot->protection_keys);
  CHECK(copied.signer == scene.exporter.public_key().id());
  const VolumeSource source = archive->source();
  CHECK(check_every_byte(source.store, copied, source.trust));
}

TEST_CASE("a host of the repository can read what left it", "[archive][portable]") {
  const PortableScene scene;
  const auto files = must(scene.write());
  const auto archive = must(PortableScene::open(paths_of(files)));
  const RepositoryKeys& keys = ArchiveFixture::keys().repository;
  TestLocator locator;
  locator.add(archive->last_volume(), keys);
  const auto reader = must(SnapshotReader::open(
      archive->source(), archive->last_volume(), keys, nullptr, locator));
  CHECK(must(reader->volumes_needed({})).size() == 1);
}

TEST_CASE("the index of an archive that is done takes counters nobody took",
          "[archive][portable][format]") {
  const PortableScene scene;
  const auto counter_of = [&] {
    const auto files = must(scene.write());
    const auto archive = must(PortableScene::open(paths_of(files)));
    const auto header = decode_frame_header(archive->last_volume().index_frames);
    fs::remove(scene.out());
    return must(header).counter;
  };
  const std::uint64_t first = counter_of();
  const std::uint64_t second = counter_of();
  CHECK(first >> 63U == 1);
  CHECK(second >> 63U == 1);
  CHECK(first != second);
}

TEST_CASE("volumes of a size that is wanted, in any order", "[archive][portable]") {
  constexpr std::uint64_t kChunks = 520;  // 33 MiB that do not compress.
  const PortableScene scene(kChunks);
  auto files = must(scene.write(kMinPortableSize));
  REQUIRE(files.size() >= 3);
  CHECK(files.front().path == scene.folder.path() / "web 01-0001.tar");
  for (const PortableFile& file : files) {
    CHECK(file.size <= kMinPortableSize);
    CHECK(file.size == fs::file_size(file.path));
  }
  std::ranges::reverse(files);
  const auto archive = must(PortableScene::open(paths_of(files)));
  check_content(scene, *archive, ArchiveFixture::keys().recovery);
  const VolumeSource source = archive->source();
  for (const ObjectInfo& object : must(source.store.list(""))) {
    const Volume volume =
        must(open_volume(source.store, object, source.repository, source.trust));
    CHECK(check_every_byte(source.store, volume, source.trust));
  }

  SECTION("one that is missing is noticed by what lies in it") {
    files.pop_back();  // The first carrier.
    const auto rest = must(PortableScene::open(paths_of(files)));
    const auto reader =
        must(SnapshotReader::open(rest->source(), rest->last_volume(),
                                  ArchiveFixture::keys().recovery, rest->locator()));
    const auto needed = reader->volumes_needed({});
    REQUIRE_FALSE(needed);
    CHECK(needed.error().places().front().name == "P4");
  }
  SECTION("the one with the snapshot is missing") {
    files.erase(files.begin());
    CHECK(PortableScene::open(paths_of(files)).error().code() ==
          base::ErrorCode::kNotFound);
  }
  SECTION("one is given twice") {
    files.push_back(files.front());
    CHECK(PortableScene::open(paths_of(files)).error().code() ==
          base::ErrorCode::kUsage);
  }
}

TEST_CASE("a portable archive is believed from its signers only",
          "[archive][portable]") {
  const PortableScene scene;
  const auto files = paths_of(must(scene.write()));
  const auto& identity = ArchiveFixture::keys().recovery;

  SECTION("not without the one who wrote the file") {
    const auto opened =
        PortableArchive::open(files, PortableScene::trust(false), "", identity);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().places().front().name == "V5");
  }
  SECTION("not without the one who took the snapshot") {
    Trust exporter({{scene.exporter.public_key(), Role::kWriter, {}, {}, "b"}});
    const auto opened = PortableArchive::open(files, exporter, "", identity);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().places().front().name == "S2");
  }
  SECTION("not with another recovery key") {
    const auto stranger = keyvault::RecoveryKey::generate(2048).value();
    CHECK(PortableScene::open(files, "", stranger).error().code() ==
          base::ErrorCode::kWrongKey);
  }
  SECTION("a snapshot that is not in it") {
    CHECK(PortableScene::open(files, "ff").error().code() ==
          base::ErrorCode::kNotFound);
    CHECK(PortableScene::open(files, scene.id.hex().substr(0, 4)));
  }
}

TEST_CASE("a flipped byte of a portable archive is found", "[archive][portable]") {
  const PortableScene scene;
  const auto files = must(scene.write());
  const std::uint64_t size = files[0].size;
  constexpr std::uint64_t kStep = 4093;
  std::uint64_t unnoticed = 0;
  for (std::uint64_t at = 0; at < size; at += kStep) {
    flip(files[0].path, at);
    const auto archive = PortableScene::open(paths_of(files));
    if (archive) {
      const VolumeSource source = archive.value()->source();
      const auto checked =
          check_every_byte(source.store, archive.value()->last_volume(), source.trust);
      if (checked) ++unnoticed;
    }
    flip(files[0].path, at);
  }
  CHECK(unnoticed == 0);
  CHECK(PortableScene::open(paths_of(files)));
}

TEST_CASE("an export overwrites nothing and leaves nothing half-made",
          "[archive][portable]") {
  const PortableScene scene;
  SECTION("a file is there") {
    std::ofstream(scene.out()) << "mine";
    const auto files = scene.write();
    REQUIRE_FALSE(files);
    CHECK(files.error().code() == base::ErrorCode::kRefused);
    CHECK(fs::file_size(scene.out()) == 4);
  }
  SECTION("a segment of the repository is damaged") {
    base::Bytes& bytes =
        const_cast<support::MemoryObjectStore&>(scene.fixture.store)
            .objects[volume_name(ArchiveId::from(repeated(16, 0xa0)), 1)];
    bytes[bytes.size() / 2] ^= std::byte{1};
    const auto files = scene.write();
    REQUIRE_FALSE(files);
    CHECK(files.error().code() == base::ErrorCode::kCorrupt);
    CHECK_FALSE(fs::exists(scene.out()));
  }
  SECTION("a size that cannot be") {
    const auto files = scene.write(kMinPortableSize - 1);
    REQUIRE_FALSE(files);
    CHECK(files.error().code() == base::ErrorCode::kRefused);
  }
}

TEST_CASE("an export that storage refuses at any step leaves no file",
          "[archive][portable][faults]") {
  constexpr std::uint64_t kChunks = 300;
  constexpr std::size_t kTries = 16;
  const PortableScene scene(kChunks);
  FailsOnce counting(std::numeric_limits<std::size_t>::max());
  const auto files = must(scene.write(kMinPortableSize, counting));
  REQUIRE(files.size() >= 2);
  for (const PortableFile& file : files) fs::remove(file.path);
  // The first steps, the last ones, and some between.
  std::set<std::size_t> steps{0, 1, 2, counting.steps() - 2, counting.steps() - 1};
  for (std::size_t i = 1; i < kTries; ++i) steps.insert(counting.steps() * i / kTries);
  for (const std::size_t step : steps) {
    FailsOnce filesystem(step);
    CHECK_FALSE(scene.write(kMinPortableSize, filesystem));
    CHECK(fs::is_empty(scene.folder.path()));
  }
}

TEST_CASE("what of an export cannot be removed is named",
          "[archive][portable][faults]") {
  constexpr std::uint64_t kChunks = 300;
  const PortableScene scene(kChunks);
  FailsOnce counting(std::numeric_limits<std::size_t>::max());
  for (const PortableFile& file : must(scene.write(kMinPortableSize, counting))) {
    fs::remove(file.path);
  }
  // The last step and all after it: the files before it stay.
  support::FailingFilesystem filesystem(counting.steps() - 1);
  const auto files = scene.write(kMinPortableSize, filesystem);
  REQUIRE_FALSE(files);
  REQUIRE_FALSE(files.error().next_steps().empty());
  CHECK(files.error().next_steps().back() ==
        "remove what is left: " +
            fs::directory_iterator(scene.folder.path())->path().string());
}

TEST_CASE("frames are planned into volumes that have room for them",
          "[archive][portable]") {
  NeededFrames needed;
  for (std::uint32_t number = 0; number < 3; ++number) {
    Volume volume;
    volume.keys.resize(2);
    volume.envelopes.resize(2);
    needed.volumes.push_back(volume);
    for (std::uint64_t frame = 0; frame < 4; ++frame) {
      needed.places.push_back({frame * 1000, 0, 1000, number});
    }
  }
  const VolumeRoom plenty{1 << 20U, 1 << 20U, 100, 100, 100};
  const auto ends = [&](const VolumeRoom& room) {
    std::vector<std::size_t> found;
    for (const VolumePlan& plan : must(plan_volumes(needed, room))) {
      found.push_back(plan.end);
    }
    return found;
  };
  CHECK(ends(plenty) == std::vector<std::size_t>{12});
  VolumeRoom few = plenty;
  few.frames = 5;
  CHECK(ends(few) == std::vector<std::size_t>{5, 10, 12});
  few = plenty;
  few.keys = 4;
  CHECK(ends(few) == std::vector<std::size_t>{8, 12});
  few = plenty;
  few.envelopes = 2;
  CHECK(ends(few) == std::vector<std::size_t>{4, 8, 12});
  few.envelopes = 1;
  CHECK(plan_volumes(needed, few).error().code() == base::ErrorCode::kRefused);
  CHECK(must(plan_volumes({}, plenty)).size() == 1);
}

}  // namespace sealift::archive
