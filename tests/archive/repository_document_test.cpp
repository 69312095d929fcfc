#include "archive/repository_document.h"

#include "base/base64.h"
#include "tests/archive/repository_fixture.h"

using namespace sealift;
using archive::make_repository_document;
using archive::parse_repository_document;
using base::ErrorCode;
using base::Json;
using support::recovery_key;
using support::rule_of;

namespace {

const keyvault::SigningKey& founder() {
  static const keyvault::SigningKey key = keyvault::SigningKey::generate().value();
  return key;
}

archive::NewRepositoryDocument make() {
  return make_repository_document(
             {recovery_key(0).recipient(), recovery_key(1).recipient()}, founder(), {})
      .value();
}

// What a founder could have signed, whatever it says.
base::Result<archive::RepositoryDocument> parse_signed(const std::string& text) {
  const auto signature = founder().sign(base::as_bytes(text)).value();
  return parse_repository_document(base::as_bytes(text), signature);
}

}  // namespace

TEST_CASE("a repository document reads back as it was made", "[archive][format]") {
  const auto made = make();
  const auto parsed = parse_repository_document(made.document.text, made.signature);
  REQUIRE(parsed);
  CHECK(parsed->id == made.document.id);
  CHECK(parsed->id.view().size() == 32);
  CHECK(base::to_hex(parsed->id.view()) ==
        keyvault::sha256(base::ByteView(made.document.text)).hex());
  CHECK(parsed->settings.chunk_size == 256 * 1024);
  CHECK(parsed->settings.zstd_level == 1);
  CHECK(parsed->founder.id() == founder().public_key().id());
  REQUIRE(parsed->recipients.size() == 2);
  CHECK(parsed->recipients[1].id() == recovery_key(1).recipient().id());
  CHECK(parsed->repository_key == made.document.repository_key);
}

TEST_CASE("a level other than 1 stands in the document", "[archive][format]") {
  const auto made = make_repository_document({recovery_key(0).recipient()}, founder(),
                                             {.chunk_size = 65536, .zstd_level = 19});
  REQUIRE(made);
  const auto parsed = parse_repository_document(made->document.text, made->signature);
  REQUIRE(parsed);
  CHECK(parsed->settings.zstd_level == 19);
  CHECK(parsed->settings.chunk_size == 65536);
}

TEST_CASE("each recipient alone opens the repository key", "[archive]") {
  const auto made = make();
  for (const std::size_t number : {std::size_t{0}, std::size_t{1}}) {
    const auto key = open_envelope(made.document.envelopes,
                                   made.document.repository_key, recovery_key(number));
    REQUIRE(key);
    CHECK(derive_repository_keys(made.document, key.value()));
  }
  CHECK(open_envelope(made.document.envelopes, made.document.repository_key,
                      recovery_key(2))
            .error()
            .code() == ErrorCode::kWrongKey);
}

TEST_CASE("two repositories never share a key or an id", "[archive]") {
  const auto one = make();
  const auto other = make();
  CHECK(one.document.id != other.document.id);
  CHECK(one.document.repository_key != other.document.repository_key);
  // The same repository key in another repository would still give other keys.
  archive::RepositoryDocument renamed = one.document;
  renamed.id = other.document.id;
  const auto keys = derive_repository_keys(one.document, one.repository_key).value();
  const auto others = derive_repository_keys(renamed, one.repository_key).value();
  CHECK_FALSE(keyvault::is_same(keys.id_key.view(), others.id_key.view()));
  CHECK_FALSE(keyvault::is_same(keys.id_key.view(), keys.metadata_wrapping_key.view()));
}

TEST_CASE("a wrong repository key derives nothing", "[archive]") {
  const auto made = make();
  const auto key = keyvault::Secret::random(32).value();
  const auto keys = derive_repository_keys(made.document, key);
  REQUIRE_FALSE(keys);
  CHECK(keys.error().code() == ErrorCode::kCorrupt);
  CHECK(rule_of(keys.error()) == "K1");
}

TEST_CASE("no byte of a repository document can change unnoticed",
          "[archive][format]") {
  const auto made = make();
  base::Bytes text = made.document.text;
  for (std::size_t position = 0; position < text.size(); position += 7) {
    text[position] ^= std::byte{1};
    CAPTURE(position);
    CHECK_FALSE(parse_repository_document(text, made.signature));
    text[position] ^= std::byte{1};
  }
  CHECK(parse_repository_document(text, made.signature));
  keyvault::Signature signature = made.signature;
  signature[5] ^= std::byte{1};
  CHECK(rule_of(parse_repository_document(text, signature).error()) == "D5");
  CHECK(rule_of(parse_repository_document(text, {}).error()) == "D5");
}

TEST_CASE("a repository document is refused by the rule it breaks",
          "[archive][format]") {
  const auto made = make();
  const std::string text(base::as_text(made.document.text));
  Json json = Json::parse(text);
  const auto with = [&](const char* member, const Json& value) {
    Json changed = json;
    changed[member] = value;
    return changed.dump(2) + '\n';
  };
  const auto without = [&](const char* member) {
    Json changed = json;
    changed.erase(member);
    return changed.dump(2) + '\n';
  };
  static const auto small = keyvault::RecoveryKey::generate(2048).value();
  const std::string weak = base::to_base64(small.recipient().spki());
  const std::string founder_key = json["founder"];
  const std::string one = json["recipients"][0];
  const std::string two = json["recipients"][1];

  struct Broken {
    std::string rule;
    std::string text;
    ErrorCode code = ErrorCode::kCorrupt;
  };
  const std::vector<Broken> all{
      {"D1", ""},
      {"D1", text + "{}"},
      {"D1", "{\"format\": 1, \"format\": 1}"},
      {"D1", text + std::string(1024 * 1024, ' ')},
      {"D2", without("format")},
      {"D2", with("format", "1")},
      {"D2", with("format", 2), ErrorCode::kUnsupported},
      {"D2", "{\"format\": 7}", ErrorCode::kUnsupported},
      {"D3", with("note", "x")},
      {"D4", without("founder")},
      {"D4", with("founder", "x")},
      {"D4", with("founder", one)},
      {"D6", with("chunk_size", 65535)},
      {"D6", with("chunk_size", 32768)},
      {"D6", with("chunk_size", 8388608)},
      {"D6", with("chunk_size", "262144")},
      {"D6", with("zstd_level", 0)},
      {"D6", with("zstd_level", 20)},
      {"D6", with("zstd_level", "3")},
      {"D9", with("zstd_level", 1)},
      {"D6", with("id_algorithm", "SHA-256")},
      {"D6", without("id_algorithm")},
      {"D7", with("recipients", Json::array())},
      {"D7", with("recipients", Json::array({one, one}))},
      {"D7", with("recipients", Json::array({founder_key, two}))},
      {"D7", with("recipients", Json::array({1, 2}))},
      {"D7", with("recipients", Json::array({weak, two}))},
      {"D7", with("key_recipients", Json::array())},
      {"D7", with("key_recipients", Json::array({one}))},
      {"D7", with("key_recipients", Json::array({weak, weak}))},
      {"D7", with("key_recipients", weak)},
      {"D9", with("key_recipients", Json::array({weak}))},  // Behind its place.
      {"D8", with("recipients", Json::array({two, one}))},
      {"D8", with("recipients", Json::array({one}))},
      {"D8", with("envelopes", Json::array())},
      {"D8", with("repository_key", std::string(64, '0'))},
      {"D8", without("repository_key")},
      {"D9", without("random")},
      {"D9", with("random", "00")},
      {"D9", Json::parse(text).dump() + "\n"},
      {"D9", text + "\n"},
  };
  for (const Broken& broken : all) {
    CAPTURE(broken.rule, broken.text.substr(0, 300));
    const auto parsed = parse_signed(broken.text);
    REQUIRE_FALSE(parsed);
    CHECK(rule_of(parsed.error()) == broken.rule);
    CHECK(parsed.error().code() == broken.code);
  }
  CHECK(parse_signed(text));
  // The limit comes before the other rules that so many would break.
  const auto many = parse_signed(with("recipients", Json(std::vector(17, one))));
  REQUIRE_FALSE(many);
  CHECK(many.error().cause() == "there are none, or too many");
}

TEST_CASE("a repository is only made of what its readers accept", "[archive]") {
  const auto small = keyvault::RecoveryKey::generate(2048).value();
  const auto& good = recovery_key(0).recipient();
  const auto code = [&](std::vector<keyvault::Recipient> recipients,
                        std::uint32_t chunk_size, unsigned zstd_level = 1) {
    const auto made = make_repository_document(std::move(recipients), founder(),
                                               {chunk_size, zstd_level});
    return made ? std::optional<ErrorCode>() : made.error().code();
  };
  CHECK(code({}, 65536) == ErrorCode::kUsage);
  CHECK(code({good, good}, 65536) == ErrorCode::kUsage);
  const auto many = make_repository_document(std::vector(17, good), founder(), {});
  REQUIRE_FALSE(many);
  CHECK(many.error().what() == "a repository has from 1 to 16 recipients");
  CHECK(code({small.recipient()}, 65536) == ErrorCode::kUsage);
  CHECK(code({good}, 65537) == ErrorCode::kUsage);
  CHECK(code({good}, 32768) == ErrorCode::kUsage);
  CHECK(code({good}, 8 * 1024 * 1024) == ErrorCode::kUsage);
  CHECK(code({good}, 65536, 0) == ErrorCode::kUsage);
  CHECK(code({good}, 65536, 20) == ErrorCode::kUsage);
  CHECK_FALSE(code({good}, 65536));
  CHECK_FALSE(code({good}, 4 * 1024 * 1024));
}

TEST_CASE("a recipient of 2048 bits is for protection keys alone", "[archive]") {
  const auto small = keyvault::RecoveryKey::generate(2048).value();
  const auto& good = recovery_key(0).recipient();
  const auto made =
      make_repository_document({small.recipient(), good}, founder(), {}).value();
  const auto parsed =
      parse_repository_document(made.document.text, made.signature).value();
  REQUIRE(parsed.recipients.size() == 1);
  CHECK(parsed.recipients.front().id() == good.id());
  REQUIRE(parsed.key_recipients.size() == 1);
  CHECK(parsed.key_recipients.front().id() == small.recipient().id());
  CHECK(parsed.envelopes.size() == 1);
  CHECK(base::as_text(made.document.text).find("key_recipients") != std::string::npos);
  const auto without = make_repository_document({good}, founder(), {}).value();
  CHECK(base::as_text(without.document.text).find("key_recipients") ==
        std::string::npos);
}
