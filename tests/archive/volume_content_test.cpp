// What an opened volume holds is refused by the rule it breaks: index, manifest, keys.
#include "archive/archive_keys.h"
#include "archive/frame_index.h"
#include "archive/frame_keys.h"
#include "archive/frame_sealer.h"
#include "archive/manifest_text.h"
#include "keyvault/key_wrap.h"
#include "tests/archive/archive_fixture.h"
#include "tests/support/catch.h"

namespace sealift::archive {

namespace {

struct Opened : ArchiveFixture {
  Volume last = must(open(volume_name(must(write(default_content())).id, 1)));

  std::string index_rule() const {
    const auto index = open_index(last, keys().repository);
    if (index) return "";
    CHECK(place_of(index.error(), "member") == "index");
    CHECK(place_of(index.error(), "volume") == last.name);
    return index.error().places().front().name;
  }
  // A frame of the archive's metadata key, as its signer could write it.
  base::Bytes sealed(FrameKind kind, base::ByteView plain) {
    const FrameKey& key = last.keys.at(1);
    REQUIRE(key.is_metadata);
    ArchiveKeys own;
    own.metadata =
        must(unwrap_metadata_key(keys().repository.metadata_wrapping_key,
                                 last.metadata_envelopes.front().second, key.id));
    own.metadata_id = key.id;
    own.data = must(keyvault::Secret::random(kKeySize));
    own.private_id = must(keyvault::Secret::random(kKeySize));
    FrameCounter counter;
    auto sealer =
        must(FrameSealer::create({own, keys().repository.id_key, counter, 1, nullptr}));
    const auto id = sealer.id_of(kind, IdScope::kShared, plain);
    const auto frame = must(sealer.seal(kind, IdScope::kShared, id, plain));
    return {frame.begin(), frame.end()};
  }
  // An index of frames that hold so many entries each.
  void write_index(const std::vector<std::size_t>& frames) {
    last.index_frames.clear();
    std::uint64_t offset = 0;
    for (const std::size_t count : frames) {
      std::vector<IndexEntry> entries(count);
      for (IndexEntry& entry : entries) {
        entry.offset = offset;
        entry.stored_size = entry.plain_size = 200;
        offset += entry.stored_size;
      }
      const base::Bytes frame =
          sealed(FrameKind::kIndex, encode_index_entries(entries));
      last.index_frames.insert(last.index_frames.end(), frame.begin(), frame.end());
    }
  }
  std::string manifest_rule() const {
    const auto manifest = open_manifest(last, keys().repository);
    if (manifest) return "";
    CHECK(place_of(manifest.error(), "volume") == last.name);
    return manifest.error().places().front().name;
  }
};

}  // namespace

TEST_CASE("an index that is no row of index frames is refused", "[archive][format]") {
  Opened opened;
  CHECK(opened.index_rule().empty());
  SECTION("I1: a byte more") {
    opened.last.index_frames.push_back(std::byte{0});
    CHECK(opened.index_rule() == "I1");
  }
  SECTION("I1: none") {
    opened.last.index_frames.clear();
    CHECK(opened.index_rule() == "I1");
  }
  SECTION("I1: more than 16") {
    const base::Bytes one = opened.last.index_frames;
    for (int i = 0; i < 16; ++i) {
      opened.last.index_frames.insert(opened.last.index_frames.end(), one.begin(),
                                      one.end());
    }
    // The places of the second begin again: they cannot be, before the 17th is met.
    CHECK(opened.index_rule() == "I6");
  }
  SECTION("I1: 16 frames and no more, though their places could be") {
    opened.write_index(std::vector<std::size_t>(16, 1));
    CHECK(opened.index_rule().empty());
    opened.write_index(std::vector<std::size_t>(17, 1));
    CHECK(opened.index_rule() == "I1");
  }
  SECTION("I1: the last frame is cut") {
    opened.write_index({1, 1});
    opened.last.index_frames.pop_back();
    CHECK(opened.index_rule() == "I1");
  }
  SECTION("I2: a frame without entries is the only one") {
    opened.write_index({0});
    CHECK(opened.index_rule().empty());
    opened.write_index({0, 1});
    CHECK(opened.index_rule() == "I2");
    opened.write_index({1, 0});
    CHECK(opened.index_rule() == "I2");
  }
  SECTION("F2: the manifest in its place") {
    opened.last.index_frames = opened.last.snapshot->manifest_frame;
    CHECK(opened.index_rule() == "F2");
  }
}

TEST_CASE("a data key that is another than it says is refused by rule K1",
          "[archive][format]") {
  Opened opened;
  FrameKeys keys(must(keyvault::Secret::random(kKeySize)),
                 &ArchiveFixture::keys().recovery);
  FrameKey& key = opened.last.keys.at(0);
  REQUIRE_FALSE(key.is_metadata);
  CHECK(keys.unwrap(opened.last, key.id, FrameKind::kData));
  key.id = KeyId::from(repeated(KeyId::kSize, 1));
  const auto other = keys.unwrap(opened.last, key.id, FrameKind::kData);
  REQUIRE_FALSE(other);
  CHECK(other.error().places().front().name == "K1");
}

TEST_CASE("a data key is not unwrapped without a recovery key", "[archive]") {
  Opened opened;
  FrameKeys keys(must(keyvault::Secret::random(kKeySize)), nullptr);
  const auto key =
      keys.unwrap(opened.last, opened.last.keys.at(0).id, FrameKind::kData);
  REQUIRE_FALSE(key);
  CHECK(key.error().code() == base::ErrorCode::kWrongKey);
  CHECK(keys.archive_keys(opened.last).error().code() == base::ErrorCode::kWrongKey);
}

TEST_CASE("a manifest that names other protection keys is refused by rule M8",
          "[archive][format]") {
  Opened opened;
  CHECK(opened.manifest_rule().empty());
  opened.last.snapshot->protection_keys.pop_back();
  CHECK(opened.manifest_rule() == "M8");
}

TEST_CASE("a manifest with another id key is refused by rule M7", "[archive][format]") {
  Opened opened;
  const auto& repository = ArchiveFixture::keys().repository;
  const auto parsed = must(open_manifest(opened.last, repository));
  const auto with = [&](base::ByteView id_key) {
    opened.last.snapshot->manifest_frame = opened.sealed(
        FrameKind::kManifest, base::as_bytes(to_json_text(parsed.manifest, id_key)));
    return opened.manifest_rule();
  };
  CHECK(with(repository.id_key.view()).empty());
  CHECK(with(repeated(32, 1)) == "M7");
}

TEST_CASE("a metadata key that is another than it says is refused by rule K1",
          "[archive][format]") {
  Opened opened;
  const auto other = must(keyvault::Secret::random(kKeySize));
  opened.last.metadata_envelopes.front().second = must(keyvault::wrap_key(
      ArchiveFixture::keys().repository.metadata_wrapping_key, other));
  CHECK(opened.manifest_rule() == "K1");
  opened.last.metadata_envelopes.front().second.back() ^= std::byte{1};
  CHECK(opened.manifest_rule() == "K2");
}

}  // namespace sealift::archive
