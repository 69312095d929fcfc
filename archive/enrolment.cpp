// How trust grows from the founder: docs/format/record.md, rules R9 to R14.
#include <algorithm>
#include <map>
#include <tuple>

#include "archive/rule.h"
#include "archive/trust.h"
#include "base/base64.h"

namespace sealift::archive {

namespace {

constexpr std::string_view kEnrolled = "enrolled";
constexpr std::string_view kRevoked = "revoked";

struct Enrolment {
  keyvault::SignerPublicKey key;
  Role role = Role::kWriter;
};

struct Revocation {
  SignerId subject;
  base::Timestamp since;
};

base::Result<Enrolment> parse_enrolment(const Record& record) {
  ASSIGN_OR_RETURN(keyvault::SignerPublicKey key, enrolled_key(record));
  ASSIGN_OR_RETURN(const std::string role, record.field("role"));
  for (const Role known : {Role::kWriter, Role::kKeeper}) {
    if (role == role_name(known)) return Enrolment{std::move(key), known};
  }
  return newer("R10", "the record enrols a signer in a role that is not known here");
}

base::Result<Revocation> parse_revocation(const Record& record) {
  ASSIGN_OR_RETURN(const std::string subject, record.field("subject"));
  ASSIGN_OR_RETURN(const std::string since, record.field("since"));
  const auto id = SignerId::parse(subject);
  const auto time = base::Timestamp::parse_stored(since);
  if (!id || !time) {
    return broken("R10", "the record does not say which signer it revokes, and when");
  }
  return Revocation{id.value(), time.value()};
}

// What the records, taken in order of time, say about who may write.
class Walk {
 public:
  Walk(const RepositoryDocument& document, std::vector<const Record*> records)
      : document_(document), records_(std::move(records)) {}

  std::vector<KnownSigner> run() {
    // Who ranks higher revokes first, so that a stolen lower key cannot silence the
    // higher one by being quicker: recovery keys, the founder, other keepers.
    for (const Record* record : records_) {
      if (is_recipient(record->signer)) note_revocation(*record);
    }
    for (const Record* record : records_) {
      if (record->signer == document_.founder.id() && !is_revoked(*record)) {
        note_revocation(*record);
      }
    }
    walk();
    // Revocations reach back: what a revoked keeper enrolled since then is forgotten.
    return walk();
  }

  std::optional<base::Timestamp> revoked_since(const SignerId& signer) const {
    const auto found = revoked_.find(signer);
    if (found == revoked_.end()) return std::nullopt;
    return found->second;
  }

 private:
  bool is_recipient(const SignerId& signer) const {
    return std::ranges::any_of(document_.recipients, [&](const auto& recipient) {
      return std::ranges::equal(recipient.id().view(), signer.view());
    });
  }

  bool is_revoked(const Record& record) const {
    const auto since = revoked_since(record.signer);
    return since && record.created >= *since;
  }

  void note_revocation(const Record& record) {
    if (record.kind != kRevoked) return;
    const auto revocation = parse_revocation(record);
    if (!revocation) return;  // check_trust_fields() has named it before.
    const auto [entry, is_new] =
        revoked_.try_emplace(revocation.value().subject, revocation.value().since);
    if (!is_new) entry->second = std::min(entry->second, revocation.value().since);
  }

  std::vector<KnownSigner> walk() {
    std::vector<KnownSigner> signers{
        {document_.founder, Role::kKeeper, base::Timestamp(), std::nullopt, "founder"}};
    for (const Record* record : records_) {
      const bool is_recovery_key = is_recipient(record->signer);
      if (!is_recovery_key &&
          (!is_keeper(signers, record->signer) || is_revoked(*record))) {
        continue;
      }
      if (record->kind == kRevoked && !names_founder(*record)) note_revocation(*record);
      if (record->kind != kEnrolled) continue;
      if (const auto enrolment = parse_enrolment(*record)) {
        enrol(signers, enrolment.value(), record->created);
      }
    }
    for (KnownSigner& known : signers) {
      known.revoked_since = revoked_since(known.key.id());
    }
    return signers;
  }

  bool names_founder(const Record& record) const {
    const auto revocation = parse_revocation(record);
    return revocation && revocation.value().subject == document_.founder.id();
  }

  static bool is_keeper(const std::vector<KnownSigner>& signers,
                        const SignerId& signer) {
    return std::ranges::any_of(signers, [&](const KnownSigner& known) {
      return known.key.id() == signer && known.role == Role::kKeeper;
    });
  }

  void enrol(std::vector<KnownSigner>& signers, const Enrolment& enrolment,
             base::Timestamp created) const {
    if (enrolment.key.id() == document_.founder.id()) return;
    for (KnownSigner& known : signers) {
      if (known.key.id() != enrolment.key.id()) continue;
      known.role = enrolment.role;
      return;
    }
    signers.push_back(
        {enrolment.key, enrolment.role, created, std::nullopt, "enrolled"});
  }

  const RepositoryDocument& document_;
  std::vector<const Record*> records_;
  std::map<SignerId, base::Timestamp> revoked_;
};

}  // namespace

base::Result<keyvault::SignerPublicKey> enrolled_key(const Record& record) {
  ASSIGN_OR_RETURN(const std::string text, record.field("key"));
  ASSIGN_OR_RETURN(const base::Bytes spki, base::from_base64(text));
  auto key = keyvault::SignerPublicKey::parse_spki(spki);
  if (key) return key;
  return broken_by("R10", "the record names a key that is not an Ed25519 public key",
                   key.error());
}

base::Status check_trust_fields(const Record& record) {
  if (record.kind == kEnrolled) RETURN_IF_ERROR(parse_enrolment(record));
  if (record.kind == kRevoked) RETURN_IF_ERROR(parse_revocation(record));
  return base::Done{};
}

Trust build_trust(const RepositoryDocument& document,
                  const std::vector<Record>& records,
                  const std::vector<keyvault::TrustedSigner>& extra) {
  std::vector<const Record*> ordered;
  for (const Record& record : records) {
    if (record.kind == kEnrolled || record.kind == kRevoked) ordered.push_back(&record);
  }
  std::ranges::sort(ordered, [](const Record* a, const Record* b) {
    return std::tie(a->created, a->signer, a->sequence) <
           std::tie(b->created, b->signer, b->sequence);
  });
  Walk walk(document, ordered);
  std::vector<KnownSigner> signers = walk.run();
  for (const keyvault::TrustedSigner& trusted : extra) {
    const bool is_known = std::ranges::any_of(signers, [&](const KnownSigner& known) {
      return known.key.id() == trusted.key.id();
    });
    if (is_known) continue;
    signers.push_back({trusted.key, Role::kWriter, base::Timestamp(),
                       walk.revoked_since(trusted.key.id()),
                       "trusted " + trusted.name});
  }
  return Trust(std::move(signers));
}

}  // namespace sealift::archive
