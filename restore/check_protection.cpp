#include <string>

#include "restore/checks.h"
#include "restore/plan.h"
#include "restore/snapshot_contents.h"

namespace sealift::restore {

namespace {

constexpr const char* kName = "vTPM";
constexpr const char* kOtherSnapshot = "choose another snapshot from `sealift list`";

std::string words_of(const base::Error& failure) {
  return failure.cause().empty() ? failure.what()
                                 : failure.what() + " (" + failure.cause() + ")";
}

bool is_key_of(const ProtectionProof& proof, const vm::DefinitionFacts& facts) {
  return proof.entry && proof.entry->key_name == facts.tpm_secret;
}

void check_opened(RestorePlan& plan, const ProtectionProof& proof,
                  const vm::DefinitionFacts& facts) {
  if (!is_key_of(proof, facts)) {
    block(plan, kName,
          "its definition names secret " +
              (facts.tpm_secret.empty() ? "none" : facts.tpm_secret) +
              ", the snapshot holds the value of " + proof.entry->key_name,
          kOtherSnapshot);
    return;
  }
  pass(plan, kName, "the protection key opens the guest state: it will unlock there");
}

void check_never_started(RestorePlan& plan, const ProtectionProof& proof,
                         const vm::DefinitionFacts& facts) {
  warn(plan, kName, "it was never started, so it has no state",
       "nothing: libvirt makes it at the first start");
  if (facts.tpm_secret.empty() || is_key_of(proof, facts)) return;
  warn(plan, kName,
       "its definition names secret " + facts.tpm_secret +
           ", whose value the snapshot does not hold",
       "define the secret before the first start (virsh secret-define, "
       "secret-set-value)");
}

}  // namespace

void check_protection(RestorePlan& plan, const archive::Manifest& manifest,
                      const ProtectionProof& proof, const vm::DefinitionFacts& facts) {
  const bool has_state =
      proof.state != StateProof::kNoVtpm && proof.state != StateProof::kNoState;
  if (facts.has_vtpm && !has_state &&
      archive::is_said_absent(manifest, "guest-state")) {
    check_never_started(plan, proof, facts);
    return;
  }
  if (facts.has_vtpm != has_state) {
    block(plan, kName,
          facts.has_vtpm
              ? "the VM has one, and the snapshot does not hold its state; libvirt "
                "would make a new one in silence"
              : "the snapshot holds the state of one, and the definition has none",
          kOtherSnapshot);
    return;
  }
  switch (proof.state) {
    case StateProof::kNoVtpm:
    case StateProof::kNoState:
      pass(plan, kName, "the VM has none");
      return;
    case StateProof::kNotEncrypted:
      if (!facts.tpm_secret.empty()) {
        block(plan, kName, "its state is not encrypted, but its definition says so",
              kOtherSnapshot);
        return;
      }
      warn(plan, kName, "its state is not encrypted: whoever reads it has its keys",
           "encrypt it: sealed secrets must then be sealed again");
      return;
    case StateProof::kNoKey:
      block(plan, kName, "its state is encrypted, and the snapshot holds no key to it",
            kOtherSnapshot);
      return;
    case StateProof::kNotForIdentity:
      block(plan, kName,
            "no protection key of the snapshot is wrapped to this identity",
            "name another recovery key with --identity; `sealift show` lists them");
      return;
    case StateProof::kDoesNotOpen:
      block(plan, kName,
            "the protection key does not open its state: " + words_of(*proof.failure),
            kOtherSnapshot);
      return;
    case StateProof::kOpens:
      check_opened(plan, proof, facts);
      return;
  }
}

void check_secret(RestorePlan& plan, const vm::VtpmSecret& secret,
                  vm::SecretOnTarget found) {
  const std::string uuid = secret.uuid.text();
  const std::string name = "secret " + uuid;
  switch (found) {
    case vm::SecretOnTarget::kAbsent:
      pass(plan, name, "is not there yet");
      return;
    case vm::SecretOnTarget::kSameValue:
      pass(plan, name, "is there with the same value, and is used");
      return;
    case vm::SecretOnTarget::kOtherValue:
      block(plan, name,
            "this host has a secret of this UUID or of usage \"" + secret.usage +
                "\" with another value",
            "find out which VM uses it (virsh secret-dumpxml); restore on another host "
            "if one does");
      return;
    case vm::SecretOnTarget::kNoValue:
      block(plan, name, "this host has it without a value",
            "remove it: virsh secret-undefine " + uuid);
      return;
    case vm::SecretOnTarget::kUnreadable:
      block(plan, name, "this host has it, and its value cannot be read to compare",
            "run as root on the host");
      return;
  }
}

}  // namespace sealift::restore
