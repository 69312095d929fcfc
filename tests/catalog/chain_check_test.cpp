#include "catalog/chain_check.h"

#include "tests/archive/repository_fixture.h"

using namespace sealift;
using catalog::ChainLink;
using support::rule_of;

namespace {

archive::Sha256Digest digest(unsigned number) {
  if (number == 0) return {};
  const std::string digits = std::to_string(number);
  return archive::Sha256Digest::parse(std::string(64 - digits.size(), 'a') + digits)
      .value();
}

ChainLink link(std::uint64_t sequence, unsigned previous, unsigned own) {
  return {sequence, digest(previous), digest(own), "record " + std::to_string(own)};
}

const archive::SignerId kSigner =
    archive::SignerId::parse(std::string(64, '5')).value();

}  // namespace

TEST_CASE("a whole chain has a head, in whatever order its links are found",
          "[catalog]") {
  CHECK(catalog::check_chain(kSigner, {}).value().sequence == 0);
  const auto head =
      catalog::check_chain(kSigner, {link(3, 12, 13), link(1, 0, 11), link(2, 11, 12)});
  REQUIRE(head);
  CHECK(head->sequence == 3);
  CHECK(head->digest == digest(13));
  SECTION("also when a snapshot lies in two volumes, verbatim") {
    CHECK(
        catalog::check_chain(kSigner, {link(1, 0, 11), link(1, 0, 11), link(2, 11, 12)})
            .value()
            .sequence == 2);
  }
}

TEST_CASE("a chain that is not whole says what and where", "[catalog]") {
  struct Broken {
    std::string rule;
    std::string sequence;
    std::vector<ChainLink> links;
  };
  const std::vector<Broken> all{
      {"R15", "1", {link(2, 11, 12)}},
      {"R15", "2", {link(1, 0, 11), link(3, 12, 13)}},
      {"R15", "2", {link(1, 0, 11), link(2, 19, 12)}},
      {"R15", "1", {link(1, 11, 11)}},
      {"R16", "1", {link(1, 0, 11), link(1, 0, 12)}},
      {"R16", "2", {link(1, 0, 11), link(2, 11, 12), link(2, 11, 13), link(3, 12, 14)}},
  };
  for (const Broken& broken : all) {
    CAPTURE(broken.rule, broken.sequence);
    const auto head = catalog::check_chain(kSigner, broken.links);
    REQUIRE_FALSE(head);
    CHECK(head.error().code() == base::ErrorCode::kCorrupt);
    CHECK(rule_of(head.error()) == broken.rule);
    const auto& places = head.error().places();
    CHECK(places[places.size() - 2] == base::Error::Place{"sequence", broken.sequence});
    CHECK(places.back() == base::Error::Place{"signer", kSigner.hex()});
  }
}

TEST_CASE("of a revoked signer as much counts as is unbroken", "[catalog]") {
  CHECK(catalog::unbroken_head({link(1, 0, 11), link(2, 11, 12), link(4, 13, 14)})
            .sequence == 2);
  CHECK(catalog::unbroken_head({link(2, 11, 12)}).sequence == 0);
}

TEST_CASE("R17: what is remembered must be there", "[catalog]") {
  const std::vector<ChainLink> links{link(1, 0, 11), link(2, 11, 12)};
  CHECK(catalog::check_head(kSigner, {}, {}, "the key vault"));
  CHECK(catalog::check_head(kSigner, {2, digest(12)}, links, "the key vault"));
  CHECK(catalog::check_head(kSigner, {1, digest(11)}, links, "the key vault"));
  const auto older =
      catalog::check_head(kSigner, {3, digest(13)}, links, "the key vault");
  REQUIRE_FALSE(older);
  CHECK(rule_of(older.error()) == "R17");
  CHECK(older.error().what() ==
        "the repository lacks the newest record of this signer that the key vault "
        "remembers");
  const auto other =
      catalog::check_head(kSigner, {2, digest(19)}, links, "the key vault");
  REQUIRE_FALSE(other);
  CHECK(rule_of(other.error()) == "R17");
}
