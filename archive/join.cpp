// A host joins with the recovery key at hand.
#include <algorithm>

#include "archive/record_store.h"
#include "archive/repository.h"
#include "base/base64.h"

namespace sealift::archive {

namespace {

// Hosts that join at the same time race for the recovery key's next record.
constexpr unsigned kAttempts = 8;

SignerId signer_of(const keyvault::Recipient& recipient) {
  return SignerId(recipient.id().bytes());
}

Record enrolment(const Repository& repository, const SignerId& recovery_key,
                 const keyvault::SignerPublicKey& host, base::Timestamp now) {
  Record record;
  record.kind = "enrolled";
  record.repository = repository.id();
  record.signer = recovery_key;
  record.sequence = 1;
  record.created = now;
  for (const Record& before : repository.records()) {
    if (before.signer != recovery_key) continue;
    record.sequence = before.sequence + 1;
    record.previous = digest_of(before);
  }
  record.fields.emplace_back("key", base::to_base64(host.spki()));
  record.fields.emplace_back("role", role_name(Role::kWriter));
  return record;
}

// errors  kRefused: it is revoked for good.
base::Result<bool> is_enrolled(const Repository& repository, const SignerId& host) {
  const KnownSigner* known = repository.trust().lookup(host);
  if (known != nullptr && known->revoked_since) {
    return base::Error(base::ErrorCode::kRefused,
                       "this host's signing key was revoked in this repository")
        .at("signer", host.hex())
        .at("revoked since", known->revoked_since->text())
        .next("make a new key vault with `sealift keyvault init` and join with that");
  }
  return known != nullptr &&
         (known->origin == "founder" || known->origin == "enrolled");
}

}  // namespace

base::Status Repository::join(keyvault::KeyVault& vault,
                              const keyvault::RecoveryKey& identity,
                              base::Timestamp now) {
  ASSIGN_OR_RETURN(
      const keyvault::Secret key,
      open_envelope(document_.envelopes, document_.repository_key, identity));
  RETURN_IF_ERROR(derive_repository_keys(document_, key));
  const keyvault::SignerPublicKey& host = vault.signing_key().public_key();
  ASSIGN_OR_RETURN(const bool is_known, is_enrolled(*this, host.id()));
  RETURN_IF_ERROR(vault.store_repository_key(id(), key));
  RETURN_IF_ERROR(vault.pin(id(), document_.text));
  if (is_known) return base::Done{};

  const SignerId recovery_key = signer_of(identity.recipient());
  const auto sign = [&](base::ByteView text) { return identity.sign(text); };
  base::Status put = base::Done{};
  for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
    RETURN_IF_ERROR(refresh());
    ASSIGN_OR_RETURN(const bool is_there, is_enrolled(*this, host.id()));
    if (is_there) return base::Done{};
    put = put_record(*store_, enrolment(*this, recovery_key, host, now), sign);
    if (put) return refresh();
    if (put.error().code() != base::ErrorCode::kBusy) break;
  }
  return std::move(put).error().at("repository", store_->place());
}

}  // namespace sealift::archive
