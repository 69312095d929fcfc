// What an opened volume holds is refused by the rule it breaks: index, manifest, keys.
#include "archive/archive_keys.h"
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
  SECTION("F2: the manifest in its place") {
    opened.last.index_frames = opened.last.snapshot->manifest_frame;
    CHECK(opened.index_rule() == "F2");
  }
}

TEST_CASE("a manifest that names other protection keys is refused by rule M8",
          "[archive][format]") {
  Opened opened;
  CHECK(opened.manifest_rule().empty());
  opened.last.snapshot->protection_keys.pop_back();
  CHECK(opened.manifest_rule() == "M8");
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
