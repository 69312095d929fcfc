#include "archive/trust.h"

#include "tests/archive/repository_fixture.h"

using namespace sealift;
using archive::Record;
using archive::Role;
using archive::Trust;
using support::at;
using support::rule_of;

namespace {

// A founder, a recovery key and three hosts; records are made, not stored: signatures
// are not this test's subject.
struct Scene {
  keyvault::SigningKey founder = keyvault::SigningKey::generate().value();
  keyvault::SigningKey anna = keyvault::SigningKey::generate().value();
  keyvault::SigningKey bert = keyvault::SigningKey::generate().value();
  keyvault::SigningKey carl = keyvault::SigningKey::generate().value();
  archive::RepositoryDocument document = make_document();
  std::vector<Record> records;

  archive::RepositoryDocument make_document() const {
    archive::RepositoryDocument made;
    made.founder = founder.public_key();
    made.recipients.push_back(support::recovery_key(0).recipient());
    return made;
  }
  archive::SignerId recovery() const {
    return archive::SignerId(support::recovery_key(0).recipient().id().bytes());
  }
  Record record(const archive::SignerId& signer, std::string kind, int second) const {
    Record made;
    made.kind = std::move(kind);
    made.signer = signer;
    made.sequence = records.size() + 1;
    made.created = at(second);
    return made;
  }
  void enrol(const archive::SignerId& by, const keyvault::SigningKey& who,
             std::string_view role, int second) {
    records.push_back(
        support::enrolled(record(by, "enrolled", second), who.public_key(), role));
  }
  void revoke(const archive::SignerId& by, const archive::SignerId& who, int since,
              int second) {
    records.push_back(support::revoked(record(by, "revoked", second), who, at(since)));
  }
  Trust trust(const std::vector<keyvault::TrustedSigner>& extra = {}) const {
    return build_trust(document, records, extra);
  }
};

archive::SignerId id(const keyvault::SigningKey& key) { return key.public_key().id(); }

}  // namespace

TEST_CASE("the founder is a keeper, and a stranger is nobody", "[archive][trust]") {
  const Scene scene;
  const Trust trust = scene.trust();
  const auto founder = trust.find(id(scene.founder), at(0));
  REQUIRE(founder);
  CHECK(founder.value()->role == Role::kKeeper);
  CHECK(founder.value()->origin == "founder");

  const auto stranger = trust.find(id(scene.anna), at(0));
  REQUIRE_FALSE(stranger);
  CHECK(stranger.error().code() == base::ErrorCode::kCorrupt);
  CHECK(rule_of(stranger.error()) == "R9");
  CHECK(base::render(stranger.error()) ==
        "error: no keeper of this repository enrolled this signer\n"
        "  where: signer " +
            id(scene.anna).hex() +
            ", rule R9\n"
            "  next:  compare the id with what `sealift keyvault export-signer` gives "
            "on the host that wrote it; enrol that host by running there `sealift "
            "repo join --identity KEY.pem`, or believe it here with `sealift keyvault "
            "trust NAME "
            "SIGNER.pub.pem`\n");
}

TEST_CASE("R11: keepers and recovery keys enrol, nobody else does",
          "[archive][trust]") {
  Scene scene;
  SECTION("a keeper") {
    scene.enrol(id(scene.founder), scene.anna, "writer", 1);
    const Trust trust = scene.trust();
    REQUIRE(trust.lookup(id(scene.anna)));
    CHECK(trust.lookup(id(scene.anna))->role == Role::kWriter);
    CHECK(trust.lookup(id(scene.anna))->since == at(1));
    CHECK(trust.lookup(id(scene.anna))->origin == "enrolled");
  }
  SECTION("a keeper that was enrolled") {
    scene.enrol(id(scene.founder), scene.anna, "keeper", 1);
    scene.enrol(id(scene.anna), scene.bert, "writer", 2);
    CHECK(scene.trust().lookup(id(scene.bert)));
  }
  SECTION("a keeper only from when it is one") {
    scene.enrol(id(scene.anna), scene.bert, "writer", 1);
    scene.enrol(id(scene.founder), scene.anna, "keeper", 2);
    CHECK_FALSE(scene.trust().lookup(id(scene.bert)));
  }
  SECTION("a recovery key") {
    scene.enrol(scene.recovery(), scene.anna, "writer", 1);
    CHECK(scene.trust().lookup(id(scene.anna)));
  }
  SECTION("no writer") {
    scene.enrol(id(scene.founder), scene.anna, "writer", 1);
    scene.enrol(id(scene.anna), scene.bert, "writer", 2);
    CHECK_FALSE(scene.trust().lookup(id(scene.bert)));
  }
  SECTION("no stranger, not even itself") {
    scene.enrol(id(scene.anna), scene.anna, "keeper", 1);
    scene.enrol(id(scene.anna), scene.bert, "writer", 2);
    CHECK(scene.trust().signers().size() == 1);
  }
  SECTION("a later record changes the role") {
    scene.enrol(id(scene.founder), scene.anna, "keeper", 1);
    scene.enrol(id(scene.founder), scene.anna, "writer", 2);
    scene.enrol(id(scene.anna), scene.bert, "writer", 3);
    CHECK(scene.trust().lookup(id(scene.anna))->role == Role::kWriter);
    CHECK_FALSE(scene.trust().lookup(id(scene.bert)));
  }
}

TEST_CASE("R13: a revoked signer is believed up to then", "[archive][trust]") {
  Scene scene;
  scene.enrol(id(scene.founder), scene.anna, "keeper", 1);
  scene.enrol(id(scene.anna), scene.bert, "writer", 5);
  scene.revoke(id(scene.founder), id(scene.anna), 4, 20);
  const Trust trust = scene.trust();
  CHECK(trust.find(id(scene.anna), at(3)));
  const auto later = trust.find(id(scene.anna), at(4));
  REQUIRE_FALSE(later);
  CHECK(rule_of(later.error()) == "R13");
  CHECK(later.error().places()[2] == base::Error::Place{"revoked since", at(4).text()});
  // What it enrolled since then goes with it.
  CHECK_FALSE(trust.lookup(id(scene.bert)));
}

TEST_CASE("R12: the higher key revokes first", "[archive][trust]") {
  Scene scene;
  scene.enrol(id(scene.founder), scene.anna, "keeper", 1);
  SECTION("a keeper does not revoke the founder") {
    scene.revoke(id(scene.anna), id(scene.founder), 0, 2);
    scene.enrol(id(scene.founder), scene.bert, "writer", 3);
    CHECK_FALSE(scene.trust().lookup(id(scene.founder))->revoked_since);
    CHECK(scene.trust().lookup(id(scene.bert)));
  }
  SECTION("a stolen keeper cannot silence the founder's revocation by being quicker") {
    scene.enrol(id(scene.anna), scene.carl, "keeper", 10);
    scene.revoke(id(scene.carl), id(scene.founder), 0, 11);
    scene.revoke(id(scene.founder), id(scene.anna), 9, 12);
    const Trust trust = scene.trust();
    CHECK_FALSE(trust.lookup(id(scene.founder))->revoked_since);
    CHECK(trust.lookup(id(scene.anna))->revoked_since == at(9));
    CHECK_FALSE(trust.lookup(id(scene.carl)));
  }
  SECTION("a recovery key revokes the founder") {
    scene.revoke(scene.recovery(), id(scene.founder), 7, 8);
    scene.enrol(id(scene.founder), scene.bert, "writer", 9);
    scene.revoke(id(scene.founder), id(scene.anna), 0, 10);
    const Trust trust = scene.trust();
    CHECK(trust.lookup(id(scene.founder))->revoked_since == at(7));
    CHECK_FALSE(trust.lookup(id(scene.bert)));
    CHECK_FALSE(trust.lookup(id(scene.anna))->revoked_since);
  }
  SECTION("another keeper's revocation reaches back, too") {
    scene.enrol(id(scene.founder), scene.bert, "keeper", 2);
    scene.enrol(id(scene.anna), scene.carl, "writer", 5);
    scene.revoke(id(scene.bert), id(scene.anna), 4, 6);
    const Trust trust = scene.trust();
    CHECK(trust.lookup(id(scene.anna))->revoked_since == at(4));
    CHECK_FALSE(trust.lookup(id(scene.carl)));
  }
  SECTION("a writer revokes nobody") {
    scene.enrol(id(scene.founder), scene.bert, "writer", 2);
    scene.revoke(id(scene.bert), id(scene.anna), 0, 3);
    CHECK_FALSE(scene.trust().lookup(id(scene.anna))->revoked_since);
  }
  SECTION("the earliest of several counts") {
    scene.revoke(id(scene.founder), id(scene.anna), 8, 9);
    scene.revoke(id(scene.founder), id(scene.anna), 6, 10);
    scene.revoke(id(scene.founder), id(scene.anna), 7, 11);
    CHECK(scene.trust().lookup(id(scene.anna))->revoked_since == at(6));
  }
  SECTION("and is final: another enrolment does not undo it") {
    scene.revoke(id(scene.founder), id(scene.anna), 6, 7);
    scene.enrol(id(scene.founder), scene.anna, "writer", 8);
    CHECK(scene.trust().lookup(id(scene.anna))->revoked_since == at(6));
  }
}

TEST_CASE("R14: the key vault's own trust makes writers", "[archive][trust]") {
  Scene scene;
  const std::vector<keyvault::TrustedSigner> extra{
      {"dr-site", scene.bert.public_key()}};
  scene.enrol(id(scene.bert), scene.carl, "writer", 1);
  const Trust trust = scene.trust(extra);
  REQUIRE(trust.find(id(scene.bert), at(0)));
  CHECK(trust.lookup(id(scene.bert))->role == Role::kWriter);
  CHECK(trust.lookup(id(scene.bert))->origin == "trusted dr-site");
  CHECK_FALSE(trust.lookup(id(scene.carl)));
  SECTION("and a keeper's revocation wins") {
    scene.revoke(id(scene.founder), id(scene.bert), 3, 4);
    CHECK_FALSE(scene.trust(extra).find(id(scene.bert), at(3)));
  }
}

TEST_CASE("R10: an enrolment or revocation says what it must", "[archive][trust]") {
  const Scene scene;
  using base::ErrorCode;
  const Record enrolment = scene.record(id(scene.founder), "enrolled", 1);
  const Record revocation = scene.record(id(scene.founder), "revoked", 1);
  CHECK(check_trust_fields(
      support::enrolled(enrolment, scene.anna.public_key(), "keeper")));
  CHECK(check_trust_fields(support::revoked(revocation, id(scene.anna), at(1))));
  CHECK(check_trust_fields(scene.record(id(scene.founder), "drill", 1)));

  CHECK(check_trust_fields(enrolment).error().code() == ErrorCode::kCorrupt);
  CHECK(check_trust_fields(revocation).error().code() == ErrorCode::kCorrupt);
  const auto newer = check_trust_fields(
      support::enrolled(enrolment, scene.anna.public_key(), "operator"));
  CHECK(newer.error().code() == ErrorCode::kUnsupported);
  CHECK(rule_of(newer.error()) == "R10");
  Record no_key = enrolment;
  no_key.fields = {{"key", "Zm9v"}, {"role", "writer"}};
  CHECK(rule_of(check_trust_fields(no_key).error()) == "R10");
  Record no_time = revocation;
  no_time.fields = {{"subject", id(scene.anna).hex()}, {"since", "yesterday"}};
  CHECK(rule_of(check_trust_fields(no_time).error()) == "R10");
  Record no_signer = no_time;
  no_signer.fields = {{"subject", "anna"}, {"since", at(1).text()}};
  CHECK(rule_of(check_trust_fields(no_signer).error()) == "R10");
}

TEST_CASE("a signature is matched to the signer that made it", "[archive][trust]") {
  Scene scene;
  scene.enrol(id(scene.founder), scene.anna, "writer", 1);
  const base::ByteView message = base::as_bytes("message");
  const auto known = scene.trust().signers();
  const Trust trust = scene.trust();
  const auto signature = scene.anna.sign(message).value();
  CHECK(trust.verify(message, signature).value()->key.id() == id(scene.anna));
  CHECK_FALSE(trust.verify(base::as_bytes("other"), signature));
  CHECK_FALSE(trust.verify(message, scene.bert.sign(message).value()));
}
