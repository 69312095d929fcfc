// Any flipped, missing, added or moved byte of a volume is found, and said where.
#include "archive/sums.h"
#include "archive/tar_form.h"
#include "archive/volume_tail.h"
#include "tests/archive/archive_fixture.h"
#include "tests/support/catch.h"

namespace sealift::archive {

namespace {

struct Member {
  std::string name;
  std::uint64_t begin = 0;  ///< Header block.
  std::uint64_t size = 0;
  std::uint64_t end() const { return begin + kTarBlock + tar_padded(size); }
};

std::vector<Member> members_of(const base::Bytes& volume) {
  std::vector<Member> members;
  std::uint64_t at = 0;
  while (volume.size() - at > kTarEndSize) {
    const base::ByteView header = base::ByteView(volume).subspan(at, kTarBlock);
    const std::string name(base::as_text(header.first(100)).data());
    members.push_back({name, at, must(claimed_tar_size(header))});
    at = members.back().end();
  }
  return members;
}

/// The smallest volume that has everything: one frame, one protection key, a snapshot.
class SmallVolume : public ArchiveFixture {
 public:
  SmallVolume() {
    const auto writer = must(begin());
    must(writer->add_file("config", "domain.xml", repeated(40, 'x'), {}));
    ProtectionKeyEntry entry;
    entry.recipient = recipients.front().id();
    must(writer->commit(description(), {{entry, "{}"}}, position));
    name = store.objects.begin()->first;
    whole = store.objects.begin()->second;
  }

  /// Opens and checks `bytes` as that volume.
  base::Status check(base::Bytes bytes) {
    store.objects[name] = std::move(bytes);
    ASSIGN_OR_RETURN(const Volume volume, open(name));
    return check_every_byte(store, volume, trust);
  }

  /// The same with one more member in front of `before`, or behind all.
  base::Bytes with_member(std::string_view before, std::string_view added,
                          base::ByteView content) const {
    base::Bytes block(kTarBlock + tar_padded(content.size()));
    std::ranges::copy(tar_header(added, content.size()), block.begin());
    std::ranges::copy(content, block.begin() + kTarBlock);
    base::Bytes bytes = whole;
    std::uint64_t at = whole.size() - kTarEndSize;
    for (const Member& member : members_of(whole)) {
      if (member.name == before) at = member.begin;
    }
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), block.begin(),
                 block.end());
    return bytes;
  }

  std::string name;
  base::Bytes whole;
};

void check_refused(const base::Status& status, const std::string& volume) {
  REQUIRE_FALSE(status);
  const base::Error& error = status.error();
  CHECK(error.code() == base::ErrorCode::kCorrupt);
  CHECK(place_of(error, "volume") == volume);
  CHECK_FALSE(place_of(error, "member").empty());
  CHECK(error.places().front().kind == "rule");
}

}  // namespace

TEST_CASE("every flipped byte of a volume is found, and its member named",
          "[archive][damage]") {
  SmallVolume volume;
  REQUIRE(volume.check(volume.whole));
  const std::vector<Member> members = members_of(volume.whole);
  std::size_t wrong_members = 0;
  std::size_t undetected = 0;

  for (const unsigned bit : {0x01U, 0x80U}) {
    for (std::size_t i = 0; i < volume.whole.size(); ++i) {
      base::Bytes bytes = volume.whole;
      bytes[i] ^= static_cast<std::byte>(bit);
      const auto status = volume.check(std::move(bytes));
      if (status || status.error().code() != base::ErrorCode::kCorrupt ||
          place_of(status.error(), "volume") != volume.name) {
        ++undetected;
        CAPTURE(i);
        CHECK(undetected == 0);
        continue;
      }
      std::string expected = "end of the volume";
      for (const Member& member : members) {
        if (i >= member.begin && i < member.end()) expected = member.name;
      }
      const std::string named = place_of(status.error(), "member");
      // Sums and signature cannot tell which of the two changed.
      if (named != expected &&
          !(named == "SHA256SUMS" && expected == "SHA256SUMS.sig")) {
        ++wrong_members;
        CAPTURE(i, named, expected);
        CHECK(wrong_members == 0);
      }
    }
  }
  CHECK(undetected == 0);
  CHECK(wrong_members == 0);
}

TEST_CASE("a volume does not open when the form around its tail is damaged",
          "[archive][damage]") {
  SmallVolume volume;
  const auto tail = must(read_volume_tail(
      volume.store, must(volume.store.examine(volume.name)), volume.trust));
  std::vector<TailMember> members = tail_members(tail.footer);
  members.push_back({"header.json", 0, tail.footer.header_size});
  std::vector<std::uint64_t> places{volume.whole.size() - 1};
  for (const TailMember& member : members) {
    places.push_back(member.offset);
    if (tar_padding(member.size) != 0) places.push_back(end_of(member) - 1);
  }
  base::Bytes& bytes = volume.store.objects.at(volume.name);
  for (const std::uint64_t at : places) {
    CAPTURE(at);
    bytes[at] ^= std::byte{1};
    const auto opened = volume.open(volume.name);
    bytes[at] ^= std::byte{1};
    REQUIRE_FALSE(opened);
    CHECK(opened.error().places().front() == base::Error::Place{"rule", "V6"});
  }
}

TEST_CASE("a volume cut short anywhere is refused", "[archive][damage]") {
  SmallVolume volume;
  std::vector<std::uint64_t> cuts{0,
                                  1,
                                  511,
                                  volume.whole.size() - 1,
                                  volume.whole.size() - 512,
                                  volume.whole.size() - 1024};
  for (const Member& member : members_of(volume.whole)) {
    for (const std::uint64_t at :
         {member.begin, member.begin + kTarBlock, member.end()}) {
      cuts.push_back(at);
    }
  }
  for (const std::uint64_t cut : cuts) {
    CAPTURE(cut);
    base::Bytes bytes = volume.whole;
    bytes.resize(cut);
    check_refused(volume.check(std::move(bytes)), volume.name);
  }
}

TEST_CASE("a volume with members added, doubled or renamed is refused",
          "[archive][damage]") {
  SmallVolume volume;
  SECTION("bytes after its end") {
    base::Bytes bytes = volume.whole;
    bytes.resize(bytes.size() + kTarBlock);
    check_refused(volume.check(std::move(bytes)), volume.name);
  }
  SECTION("a member more, anywhere, or a known one twice") {
    for (const std::string_view before :
         {"header.json", "segments/00000001", "index", "manifest", "snapshot",
          "SHA256SUMS", "footer", ""}) {
      for (const std::string_view added :
           {"extra", "header.json", "segments/00000001", "segments/00000002",
            "protection-key.json", "snapshot"}) {
        CAPTURE(before, added);
        check_refused(volume.check(volume.with_member(before, added, repeated(9, 'x'))),
                      volume.name);
      }
    }
  }
  SECTION("a pax record that gives a member another name") {
    base::Bytes bytes =
        volume.with_member("index", "index", base::as_bytes("14 path=other\n"));
    for (const Member& member : members_of(volume.whole)) {
      if (member.name == "index") bytes[member.begin + 156] = std::byte{'x'};
    }
    check_refused(volume.check(std::move(bytes)), volume.name);
  }
  SECTION("a renamed member") {
    for (const Member& member : members_of(volume.whole)) {
      base::Bytes bytes = volume.whole;
      std::ranges::copy(tar_header("renamed", member.size),
                        bytes.begin() + static_cast<std::ptrdiff_t>(member.begin));
      check_refused(volume.check(std::move(bytes)), volume.name);
    }
  }
}

TEST_CASE("a volume under another name is refused by rule V10", "[archive][damage]") {
  SmallVolume volume;
  const auto open_as = [&](const std::string& name) {
    volume.store.objects[name] = volume.whole;
    const auto opened = volume.open(name);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().places().front().name == "V10");
    CHECK(place_of(opened.error(), "volume") == name);
  };
  const ArchiveId archive = parse_volume_name(volume.name)->archive;
  open_as(volume_name(archive, 2));
  open_as(volume_name(ArchiveId::from(repeated(16, 0xb0)), 1));
  open_as("archives/other.tar");

  volume.repository = RepositoryId::from(repeated(32, 0x78));
  const auto opened = volume.open(volume.name);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().places().front().name == "V10");
}

TEST_CASE("a volume of a stranger is refused", "[archive][damage]") {
  ArchiveFixture fixture;
  const TestKeys& keys = TestKeys::get();
  const auto snapshot = must(fixture.write(default_content(), 0xa0, keys.stranger));
  const std::string name = volume_name(snapshot.id, 1);

  SECTION("when nobody here knows him, by rule V5") {
    const auto opened = fixture.open(name);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().places().front().name == "V5");
    CHECK(opened.error().code() == base::ErrorCode::kCorrupt);
  }
  SECTION("when he was revoked before he wrote it, by rule V11") {
    fixture.trust =
        Trust({{keys.stranger.public_key(),
                Role::kWriter,
                {},
                base::Timestamp::parse_stored("2026-11-01T00:00:00Z").value(),
                "enrolled"}});
    const auto opened = fixture.open(name);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().places().front().name == "V11");
    CHECK(place_of(opened.error(), "signer") == keys.stranger.public_key().id().hex());
    CHECK(place_of(opened.error(), "revoked since") == "2026-11-01T00:00:00Z");
  }
  SECTION("when he was revoked later it is read") {
    fixture.trust =
        Trust({{keys.stranger.public_key(),
                Role::kWriter,
                {},
                base::Timestamp::parse_stored("2026-12-01T00:00:00Z").value(),
                "enrolled"}});
    CHECK(fixture.open(name));
  }
}

TEST_CASE("a volume whose signature was taken away is refused by rule V5",
          "[archive][damage]") {
  SmallVolume volume;
  for (const Member& member : members_of(volume.whole)) {
    if (member.name != "SHA256SUMS.sig") continue;
    base::Bytes bytes = volume.whole;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(member.begin + kTarBlock),
                64, std::byte{0});
    const auto status = volume.check(std::move(bytes));
    check_refused(status, volume.name);
    CHECK(status.error().places().front().name == "V5");
  }
}

TEST_CASE("damaged data is refused where it is read, and the place is told",
          "[archive][damage]") {
  ArchiveFixture fixture;
  const auto snapshot = must(fixture.write(default_content()));
  const std::string name = volume_name(snapshot.id, 1);
  const Volume last = must(fixture.open(name));
  const TestLocator locator = fixture.locate_all();
  const auto reader = must(fixture.read(last, locator));
  base::Bytes& bytes = fixture.store.objects[name];

  for (const IndexEntry& entry : must(open_index(last, TestKeys::get().repository))) {
    for (const std::uint64_t at :
         {std::uint64_t{0}, std::uint64_t{4}, std::uint64_t{16}, std::uint64_t{60},
          std::uint64_t{entry.stored_size} - 1}) {
      bytes[entry.offset + at] ^= std::byte{1};
      bool is_refused = false;
      for (const Component& component : reader->manifest().components) {
        const auto read = reader->read_whole(component, 1U << 24U);
        if (read) continue;
        is_refused = true;
        CHECK(read.error().code() == base::ErrorCode::kCorrupt);
        CHECK(read.error().places().front().kind == "rule");
        CHECK(place_of(read.error(), "volume") == name);
        CHECK(place_of(read.error(), "member") == "segments/00000001");
        CHECK(place_of(read.error(), component.kind) == component.name);
        CHECK_FALSE(place_of(read.error(), "offset").empty());
      }
      CHECK(is_refused);
      bytes[entry.offset + at] ^= std::byte{1};
    }
  }
}

TEST_CASE("a missing volume is told, and nothing of it is made up",
          "[archive][damage]") {
  ArchiveFixture fixture;
  fixture.options.volume_size = 1;
  const auto snapshot = must(fixture.write(default_content()));
  const Volume last = must(fixture.open(volume_name(snapshot.id, snapshot.volumes)));
  const TestLocator locator = fixture.locate_all();

  for (std::uint32_t number = 1; number < snapshot.volumes; ++number) {
    const std::string name = volume_name(snapshot.id, number);
    const auto taken = fixture.store.objects.extract(name);
    const auto reader = must(fixture.read(last, locator));
    std::size_t refused = 0;
    for (const Component& component : reader->manifest().components) {
      const auto read = reader->read_whole(component, 1U << 24U);
      if (read) continue;
      ++refused;
      CHECK(read.error().code() == base::ErrorCode::kCorrupt);
      CHECK(place_of(read.error(), "volume") == name);
    }
    CHECK(refused == 1);
    fixture.store.objects[name] = taken.mapped();
  }
}

}  // namespace sealift::archive
