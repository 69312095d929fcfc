// Envelopes are refused by the rule they break: E1 to E5.
#include "archive/envelope.h"

#include "keyvault/digest.h"
#include "tests/archive/archive_fixture.h"
#include "tests/support/catch.h"

namespace sealift::archive {

TEST_CASE("an envelope is refused by the rule it breaks", "[archive][format]") {
  const TestKeys& keys = TestKeys::get();
  const auto key = must(keyvault::Secret::random(kKeySize));
  const KeyId id = must(keyvault::key_id_of(key));
  const Envelope good = must(seal_envelope(key, keys.recovery.recipient()));
  const auto rule = [&](const std::vector<Envelope>& envelopes) {
    const auto opened = open_envelope(envelopes, id, keys.recovery);
    return opened ? std::string() : opened.error().places().front().name;
  };
  CHECK(rule({good}).empty());
  base::Json extra = to_json(good);
  extra["note"] = "x";
  CHECK(parse_envelope(extra).error().places().front().name == "E1");
  for (const std::size_t odd : {1U, 255U, 2049U}) {
    base::Json other = to_json(good);
    other["wrapped"] = std::string(2 * odd, '0');
    CHECK(parse_envelope(other).error().places().front().name == "E1");
  }
  CHECK(must(parse_envelope(to_json(good))).wrapped == good.wrapped);

  CHECK(rule({}) == "E2");
  CHECK(rule({must(seal_envelope(key, keys.other_recovery.recipient()))}) == "E2");
  Envelope unknown = good;
  unknown.algorithm = "RSA-ML-KEM";
  CHECK(rule({unknown}) == "E3");
  CHECK(rule({unknown, good}).empty());
  Envelope damaged = good;
  damaged.wrapped.back() ^= std::byte{1};
  CHECK(rule({damaged}) == "E4");
  CHECK(rule({damaged, good}).empty());
  Envelope liar = must(seal_envelope(must(keyvault::Secret::random(kKeySize)),
                                     keys.recovery.recipient()));
  liar.key = id;
  CHECK(rule({liar, good}) == "E5");
}

}  // namespace sealift::archive
