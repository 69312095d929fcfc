// Volumes that a trusted signer signed, and that are refused all the same by the rule
// they break. Rules V1 to V8 for bytes nobody signed stand in damage_test.cpp.
#include "archive/limits.h"
#include "tests/archive/volume_forge.h"

namespace sealift::archive {

TEST_CASE("a footer is refused by the rule it breaks", "[archive][format]") {
  Forge forge;
  REQUIRE(forge.forge().empty());
  SECTION("V2: it begins with another word") {
    forge.change_bytes = [](EncodedFooter& bytes) { bytes[0] = std::byte{'s'}; };
    CHECK(forge.forge() == "V2");
  }
  SECTION("V3: a newer format is unsupported, not damaged") {
    forge.change_bytes = [](EncodedFooter& bytes) { bytes[11] = std::byte{2}; };
    CHECK(forge.forge() == "V3");
    CHECK(forge.last_error->code() == base::ErrorCode::kUnsupported);
  }
  SECTION("V4: what it says cannot be") {
    const std::vector<std::function<void(EncodedFooter&)>> changes{
        [](EncodedFooter& bytes) { bytes[11] = std::byte{0}; },
        [](EncodedFooter& bytes) { bytes[15] = std::byte{65}; },
        [](EncodedFooter& bytes) { base::write_be32(bytes, 12, 0xffffffff); },
        [](EncodedFooter& bytes) { bytes[15] = std::byte{1}; },
        [](EncodedFooter& bytes) { bytes[23] ^= std::byte{1}; },
        [](EncodedFooter& bytes) { bytes[31] ^= std::byte{1}; },
        [](EncodedFooter& bytes) { bytes[24] = std::byte{0xff}; },
        [](EncodedFooter& bytes) { bytes[32] = std::byte{0x7f}; },
        [](EncodedFooter& bytes) { base::write_be32(bytes, 32, 0); },
        [](EncodedFooter& bytes) { bytes[36] = std::byte{0x7f}; },
        [](EncodedFooter& bytes) { bytes[40] = std::byte{0x7f}; },
        [](EncodedFooter& bytes) { bytes[44] = std::byte{0x7f}; },
        [](EncodedFooter& bytes) { bytes[48] = std::byte{0x7f}; },
        [](EncodedFooter& bytes) { bytes[52] = std::byte{0x7f}; },
        [](EncodedFooter& bytes) { bytes[60] = std::byte{1}; },
        [](EncodedFooter& bytes) { bytes[479] = std::byte{1}; }};
    for (const auto& change : changes) {
      forge.change_bytes = change;
      CHECK(forge.forge() == "V4");
    }
  }
}

TEST_CASE("a footer may say what keeps the limits, and no more", "[archive][format]") {
  Footer good;
  good.tail = 1024;
  good.header_size = good.index_size = good.manifest_size = good.snapshot_size =
      good.sums_size = 100;
  good.key_sizes = {100, 100};
  const auto rule = [](Footer footer, std::uint64_t too_long = 0) {
    footer.length = end_of(tail_members(footer).back()) + kFooterReach + too_long;
    const auto decoded = decode_footer(encode(footer), footer.length);
    if (decoded) CHECK(decoded.value() == footer);
    return decoded ? std::string() : decoded.error().places().front().name;
  };
  const auto with = [&](auto Footer::*field, auto value) {
    Footer footer = good;
    footer.*field = value;
    return rule(footer);
  };
  CHECK(rule(good).empty());
  CHECK(rule(good, kTarBlock) == "V4");
  CHECK(with(&Footer::tail, 512U) == "V4");
  struct Limit {
    std::uint32_t Footer::*field;
    std::uint32_t most;
  };
  for (const Limit& limit : {Limit{&Footer::index_size, kMaxIndexSize},
                             Limit{&Footer::sums_size, kMaxSumsSize},
                             Limit{&Footer::manifest_size, kMaxFrameSize},
                             Limit{&Footer::snapshot_size, kMaxSnapshotSize}}) {
    CHECK(with(limit.field, limit.most).empty());
    CHECK(with(limit.field, limit.most + 1) == "V4");
  }
  CHECK(with(&Footer::key_sizes, std::vector<std::uint32_t>{0}) == "V4");
  CHECK(with(&Footer::key_sizes,
             std::vector<std::uint32_t>{kMaxProtectionKeySize + 1}) == "V4");
  Footer footer = good;
  footer.header_size = kMaxHeaderSize;
  footer.tail = kTarBlock + tar_padded(kMaxHeaderSize);
  CHECK(rule(footer).empty());
  footer.header_size = kMaxHeaderSize + 1;
  footer.tail += kTarBlock;
  CHECK(rule(footer) == "V4");

  footer = good;
  footer.length = end_of(tail_members(footer).back()) + kFooterReach;
  EncodedFooter bytes = encode(footer);
  bytes.back() ^= std::byte{1};
  CHECK(decode_footer(bytes, footer.length).error().places().front().name == "V2");
  const auto cut = base::ByteView(bytes).first(kFooterSize - 1);
  CHECK(decode_footer(cut, footer.length).error().places().front().name == "V2");
}

TEST_CASE("sums that do not list exactly the members are refused by rule V7",
          "[archive][format]") {
  Forge forge;
  const std::vector<std::function<void(std::string&)>> changes{
      [](std::string& text) { text.clear(), text += "\n"; },
      [](std::string& text) { text.pop_back(); },
      [](std::string& text) {
        text += text.substr(text.rfind('\n', text.size() - 2) + 1);
      },
      [](std::string& text) { text = text.substr(text.find('\n') + 1); },
      [](std::string& text) { text[64] = '\t'; },
      [](std::string& text) { text.insert(0, "# comment\n"); },
      [](std::string& text) {
        text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
        text[1] = 'A';
      }};
  for (const auto& change : changes) {
    forge.change_sums = change;
    CHECK(forge.forge() == "V7");
  }
  forge.change_sums = nullptr;
  forge.first_segment = 2;
  CHECK(forge.forge() == "V7");
  forge.first_segment = 1;
  forge.extra = {{"segments/00000003", repeated(9, 'x')}};
  CHECK(forge.forge() == "V7");
  forge.extra = {{"notes", repeated(9, 'x')}};
  CHECK(forge.forge() == "V7");
}

TEST_CASE("a sum that does not fit its member is refused by rule V8",
          "[archive][format]") {
  Forge forge;
  std::size_t line = 0;
  forge.change_sums = [&line](std::string& text) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < line; ++i) at = text.find('\n', at) + 1;
    text[at] = text[at] == '0' ? '1' : '0';
  };
  for (const char* member :
       {"header.json", "segments/00000001", "index", "manifest", "protection-key.json",
        "protection-key.2.json", "snapshot", "snapshot.sig"}) {
    CHECK(forge.forge() == "V8");
    CHECK(place_of(*forge.last_error, "member") == member);
    ++line;
  }
}

TEST_CASE("sums list no more segments than a volume can have", "[archive][format]") {
  const std::vector<std::string> tail{"index"};
  std::vector<MemberSum> sums{{"header.json", {}}};
  for (std::uint32_t i = 1; i <= kMaxSegments; ++i) {
    sums.push_back({segment_name(i), {}});
  }
  sums.push_back({"index", {}});
  const auto parsed = [&] {
    return parse_sums(base::as_bytes(to_sums_text(sums)), tail);
  };
  CHECK(parsed());
  sums.back().name = segment_name(kMaxSegments + 1);
  sums.push_back({"index", {}});
  CHECK(parsed().error().places().back() == base::Error::Place{"member", "SHA256SUMS"});
}

TEST_CASE("header.json is refused by the rule it breaks", "[archive][format]") {
  Forge forge;
  const auto with = [&forge](const std::function<void(VolumeHeader&)>& change) {
    VolumeHeader header = forge.header;
    change(header);
    forge.header_text = to_json_text(header);
    return forge.forge();
  };
  const auto with_text = [&forge](std::string_view from, std::string_view to) {
    forge.header_text = to_json_text(forge.header);
    const std::size_t at = forge.header_text.find(from);
    REQUIRE(at != std::string::npos);
    forge.header_text.replace(at, from.size(), to);
    return forge.forge();
  };
  CHECK(with([](VolumeHeader&) {}).empty());
  CHECK(with_text("\"volume\":1", "\"volume\":\"1\"") == "V9");
  CHECK(with_text("\"volume\":1", "\"volume\":10000") == "V9");
  CHECK(with_text("\"volume\":1", "\"volume\":1,\"volume\":1") == "V9");
  CHECK(with_text("\"volume\":1", "\"volume\":1,\"vm\":\"web\"") == "V9");
  CHECK(with_text("\"signer\"", "\"writer\"") == "V9");
  CHECK(with_text("\"use\":\"data\"", "\"use\":\"dato\"") == "V9");
  CHECK(with_text("RSA-OAEP-256\",\"wrapped\":\"", "RSA-OAEP-256\",\"wrapped\":\"zz") ==
        "V9");
  CHECK(with_text("}\n", "}\n{}") == "V9");
  CHECK(with_text("\"format\":1", "\"format\":2") == "V9");
  CHECK(forge.last_error->code() == base::ErrorCode::kUnsupported);
  CHECK(with([](VolumeHeader& header) { header.number = 2; }) == "V10");
  CHECK(with([](VolumeHeader& header) { header.repository = {}; }) == "V10");
  CHECK(with([](VolumeHeader& header) {
          header.archive = {};
          header.keys[1].archive = {};
        }) == "V10");
  CHECK(with([](VolumeHeader& header) { header.signer = {}; }) == "V11");
  const TestKeys& keys = TestKeys::get();  // Another signer, trusted too.
  forge.trust =
      Trust({{keys.signer.public_key(), Role::kWriter, {}, {}, "founder"},
             {keys.stranger.public_key(), Role::kWriter, {}, {}, "enrolled"}});
  CHECK(with([&keys](VolumeHeader& header) {
          header.signer = keys.stranger.public_key().id();
        }) == "V11");
  CHECK(with([](VolumeHeader& header) { header.keys.pop_back(); }) == "V12");
  CHECK(with([](VolumeHeader& header) { header.keys[1].content_key = {}; }) == "V12");
  CHECK(with([](VolumeHeader& header) {
          FrameKey second = header.keys[1];
          second.id = {};
          header.keys.push_back(second);
        }) == "V12");
  CHECK(with([](VolumeHeader& header) { header.keys[0].id = header.keys[1].id; }) ==
        "V12");
}

TEST_CASE("each member of header.json has its one form", "[archive][format]") {
  const Forge forge;
  const base::Json good = base::Json::parse(forge.header_text);
  const auto rule = [](const base::Json& json) {
    const auto parsed = parse_volume_header(base::as_bytes(json.dump()));
    return parsed ? std::string() : parsed.error().places().back().name;
  };
  const auto with = [&](const char* place, const base::Json& value) {
    base::Json json = good;
    json[base::Json::json_pointer(place)] = value;
    return rule(json);
  };
  CHECK(rule(good).empty());
  const std::string odd(64, 'g');
  struct Wrong {
    const char* place;
    base::Json value;
  };
  const std::vector<Wrong> wrong{{"/format", "1"},
                                 {"/format", 0},
                                 {"/repository", 7},
                                 {"/repository", odd},
                                 {"/archive", odd},
                                 {"/volume", 0},
                                 {"/volume", -1},
                                 {"/created", 7},
                                 {"/created", "yesterday"},
                                 {"/signer", odd},
                                 {"/content_key", odd},
                                 {"/envelopes", "none"},
                                 {"/envelopes/0/note", "x"},
                                 {"/keys", 7},
                                 {"/keys/0/id", odd},
                                 {"/keys/0/use", 7},
                                 {"/keys/0/archive", odd},
                                 {"/keys/0/content_key", odd},
                                 {"/keys/0/signer", odd},
                                 {"/keys/0/note", "x"},
                                 {"/metadata_envelopes", 7},
                                 {"/metadata_envelopes/0/key", odd},
                                 {"/metadata_envelopes/0/wrapped", 7},
                                 {"/metadata_envelopes/0/wrapped", "zz"},
                                 {"/metadata_envelopes/0/wrapped", "00"},
                                 {"/metadata_envelopes/0/note", "x"},
                                 {"/added_keys", "none"},
                                 {"/added_keys", base::Json::array({7})}};
  for (const Wrong& one : wrong) {
    CAPTURE(one.place, one.value.dump());
    CHECK(with(one.place, one.value) == "V9");
  }
  const base::Json added{{"of", "protection-key.json"},
                         {"recipient", std::string(64, 'a')},
                         {"text", "{}"}};
  const auto with_added = [&](const char* member, const base::Json& value) {
    base::Json key = added;
    key[member] = value;
    return with("/added_keys", base::Json::array({key}));
  };
  CHECK(with_added("text", "{}").empty());
  CHECK(with_added("text", 7) == "V9");
  CHECK(with_added("of", 7) == "V9");
  CHECK(with_added("recipient", odd) == "V9");
  CHECK(with_added("note", "x") == "V9");
  CHECK(with_added("text", std::string(kMaxProtectionKeySize, 'x')).empty());
  CHECK(with_added("text", std::string(kMaxProtectionKeySize + 1, 'x')) == "V12");
  const auto so_many_added = [&](std::size_t count) {
    return with("/added_keys", base::Json(std::vector(count, added)));
  };
  CHECK(so_many_added(kMaxProtectionKeys).empty());
  CHECK(so_many_added(kMaxProtectionKeys + 1) == "added_keys");

  const auto many = [&](const char* list, std::size_t count) {
    return with((std::string("/") + list).c_str(),
                base::Json(std::vector(count, good[list][0])));
  };
  CHECK(many("envelopes", kMaxEnvelopes).empty());
  CHECK(many("envelopes", kMaxEnvelopes + 1) == "envelopes");
  CHECK(many("metadata_envelopes", kMaxKeys).empty());
  CHECK(many("metadata_envelopes", kMaxKeys + 1) == "metadata_envelopes");
  CHECK(many("keys", kMaxKeys + 1) == "keys");
}

TEST_CASE("a volume has a length that a volume can have", "[archive][format]") {
  const Forge forge;
  const auto rule = [&forge](std::uint64_t size) {
    const auto tail = read_volume_tail(forge.store, {forge.name, size}, forge.trust);
    return tail ? std::string() : tail.error().places().front().name;
  };
  const std::uint64_t size = forge.store.objects.at(forge.name).size();
  CHECK(rule(size).empty());
  CHECK(rule(size + 1) == "V1");
  CHECK(rule(kTarBlock) == "V1");
  CHECK(rule(kMaxVolumeFileSize + kTarBlock) == "V1");
}

TEST_CASE("segments that do not end where the tail begins are refused by rule V13",
          "[archive][format]") {
  Forge forge;
  forge.segment.clear();
  CHECK(forge.forge() == "V13");
  forge.segment.resize(kMaxSegmentSize + 1);
  CHECK(forge.forge() == "V13");
}

TEST_CASE("a snapshot text is refused by the rule it breaks", "[archive][format]") {
  Forge forge;
  const Record good = forge.record;
  const auto with = [&](const std::function<void(Record&)>& change,
                        const keyvault::SigningKey& signer = TestKeys::get().signer) {
    forge.record = good;
    change(forge.record);
    forge.sign_snapshot(signer);
    return forge.forge();
  };
  CHECK(with([](Record&) {}).empty());
  CHECK(with([](Record& record) { record.kind = "verified"; }) == "S1");
  CHECK(with([](Record& record) { record.fields.pop_back(); }) == "S7");
  CHECK(with([](Record& record) { record.fields.resize(2); }) == "S1");
  CHECK(with([](Record& record) { std::swap(record.fields[0], record.fields[1]); }) ==
        "S1");
  CHECK(with([](Record& record) { record.fields.emplace_back("note", "x"); }) == "S1");
  CHECK(with([](Record& record) {
          record.signer = TestKeys::get().stranger.public_key().id();
        }) == "S2");
  CHECK(with([](Record&) {}, TestKeys::get().stranger) == "S3");
  CHECK(with([](Record& record) { record.repository = {}; }) == "S4");
  CHECK(with([](Record& record) { record.fields[0].second = std::string(32, '0'); }) ==
        "S4");
  CHECK(with([](Record& record) { record.fields[1].second = "2"; }) == "S5");
  CHECK(with([](Record& record) { record.fields[2].second = std::string(64, '0'); }) ==
        "S6");
  CHECK(with([](Record& record) {
          std::swap(record.fields[3].second, record.fields[4].second);
        }) == "S7");

  SECTION("S6: another manifest, signed by the volume's signer") {
    forge.record = good;
    forge.sign_snapshot();
    forge.content_of("manifest").back() ^= std::byte{1};
    CHECK(forge.forge() == "S6");
  }
  SECTION("S7: another protection key, signed by the volume's signer") {
    forge.record = good;
    forge.sign_snapshot();
    forge.content_of("protection-key.json").back() = std::byte{' '};
    CHECK(forge.forge() == "S7");
    CHECK(place_of(*forge.last_error, "member") == "protection-key.json");
  }
  SECTION("S1: what is no record at all") {
    const std::string text = "sealift\n";
    forge.content_of("snapshot")
        .assign(base::as_bytes(text).begin(), base::as_bytes(text).end());
    CHECK(forge.forge() == "S1");
  }
  SECTION("S1: a newer text is unsupported") {
    std::string text = to_text(good);
    text.replace(text.find(" 1\n"), 3, " 2\n");
    forge.content_of("snapshot")
        .assign(base::as_bytes(text).begin(), base::as_bytes(text).end());
    CHECK(forge.forge() == "S1");
    CHECK(forge.last_error->code() == base::ErrorCode::kUnsupported);
  }
}

}  // namespace sealift::archive
