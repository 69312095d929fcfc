#include "restore/verify.h"

#include <algorithm>
#include <atomic>

#include "keyvault/protection_key.h"
#include "restore/protection_proof.h"
#include "restore/snapshot_contents.h"
#include "restore/volume_checks.h"
#include "restore/workers.h"

namespace sealift::restore {

namespace {

constexpr std::size_t kVmKeySize = 32;  // Bytes of an AES-256 key.

base::Status open_every_chunk(const archive::SnapshotReader& reader,
                              archive::SegmentChecks& checks, VerifyReport& report,
                              const std::stop_token& stop) {
  std::atomic<std::uint64_t> chunks = 0;
  const std::uint64_t chunk_size = reader.manifest().chunk_size;
  for (const archive::Component& component : reader.manifest().components) {
    base::Status status = reader.read(
        component,
        [&](std::uint64_t, base::ByteView bytes) -> base::Status {
          chunks += (bytes.size() + chunk_size - 1) / chunk_size;
          return base::Done{};
        },
        worker_count(), stop, &checks);
    if (!status) return status;
  }
  report.chunks = chunks;
  return base::Done{};
}

// A VM without a vTPM, or one whose vTPM was never started: the backup knew.
std::string why_no_state(const archive::Manifest& manifest) {
  const auto verdict =
      std::ranges::find(manifest.verdicts, "guest-state", &archive::Verdict::component);
  const bool is_said = verdict != manifest.verdicts.end() && !verdict->reason.empty();
  return is_said ? verdict->reason : "the VM has no vTPM";
}

base::Error not_opened(const base::Error& failure) {
  return base::Error(base::ErrorCode::kCorrupt,
                     "the protection key does not open the guest state")
      .at("component", std::string("guest-state ") + kPermanentState)
      .because(failure.cause().empty() ? failure.what() : failure.cause())
      .next("choose another snapshot from `sealift list`; this VM would not unlock");
}

// Whether the recovery key opens the key, and a VM's own is one of AES-256.
base::Status open_exported_key(const archive::ProtectionKeyEntry& entry,
                               const std::string& text,
                               const keyvault::RecoveryKey& identity) {
  ASSIGN_OR_RETURN(const keyvault::KeyJson json,
                   keyvault::parse_key_json(base::as_bytes(text)));
  ASSIGN_OR_RETURN(const keyvault::UnwrappedProtectionKey opened,
                   keyvault::unwrap_protection_key(json, identity));
  if (entry.usage != kOfVm || opened.key.size() == kVmKeySize) {
    return base::Done{};
  }
  return base::Error(base::ErrorCode::kCorrupt,
                     "it has " + std::to_string(opened.key.size()) + " bytes, not 32");
}

// Of a Hyper-V VM: its keys unwrap, and that is as far as it goes off the cluster.
base::Status look_at_exported_keys(const archive::SnapshotReader& reader,
                                   const keyvault::RecoveryKey& archive_identity,
                                   const KeyIdentity* key_identity,
                                   VerifyReport& report) {
  const keyvault::RecoveryKey& identity =
      key_identity != nullptr ? *key_identity->key : archive_identity;
  const auto& entries = reader.manifest().protection_keys;
  if (entries.empty()) {
    report.reason = "the guest state needs no protection key";
    return base::Done{};
  }
  std::size_t opened = 0;
  for (std::size_t at = 0; at < entries.size(); ++at) {
    if (entries[at].recipient != identity.recipient().id()) continue;
    const auto status =
        open_exported_key(entries[at], reader.protection_keys()[at].second, identity);
    if (!status) {
      return base::Error(base::ErrorCode::kCorrupt,
                         "a protection key is not what its name and its wrapping say")
          .at("member", entries[at].member)
          .because(status.error().what())
          .next("choose another snapshot from `sealift list`, or export the key again");
    }
    ++opened;
  }
  if (opened == 0 && key_identity != nullptr) {
    return not_wrapped_to(*key_identity, reader.manifest());
  }
  report.reason =
      (opened == 0
           ? "no protection key was tried: they are wrapped to another recovery "
             "key, --key-identity"
           : std::to_string(opened) + " of " + std::to_string(entries.size()) +
                 " protection keys were unwrapped") +
      std::string("; that one opens the guest state cannot be proven off the cluster");
  return base::Done{};
}

// Level 3, or why not.
base::Status prove_guest_state(const archive::SnapshotReader& reader,
                               const keyvault::RecoveryKey& identity,
                               VerifyReport& report) {
  ASSIGN_OR_RETURN(const ProtectionProof proof, prove_protection_key(reader, identity));
  switch (proof.state) {
    case StateProof::kNoVtpm:
    case StateProof::kNoState:
      report.reason = why_no_state(reader.manifest());
      break;
    case StateProof::kNotEncrypted:
      report.reason = "the vTPM state is not encrypted";
      break;
    case StateProof::kNoKey:
      report.reason = "the snapshot holds no protection key";
      break;
    case StateProof::kNotForIdentity:
      return base::Error(base::ErrorCode::kWrongKey,
                         "no protection key of the snapshot is wrapped to this "
                         "recovery key")
          .next("name another recovery key with --identity");
    case StateProof::kDoesNotOpen:
      return not_opened(*proof.failure);
    case StateProof::kOpens:
      report.level = 3;
      break;
  }
  return base::Done{};
}

base::Status verify_to(VerifyReport& report, const SnapshotPlace& place,
                       const keyvault::RecoveryKey* identity,
                       const KeyIdentity* key_identity, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::unique_ptr<archive::SnapshotReader> reader,
                   open_snapshot(place, report.snapshot, identity));
  ASSIGN_OR_RETURN(const std::vector<std::string> volumes,
                   volumes_of(place, *reader, report.snapshot, stop));
  ASSIGN_OR_RETURN(const auto checks, open_volumes(place.source, volumes, stop));
  if (identity != nullptr) {
    RETURN_IF_ERROR(open_every_chunk(*reader, *checks, report, stop));
  }
  RETURN_IF_ERROR(check_rest(*checks, {}, stop));
  report.bytes_read = checks->bytes();
  report.level = 1;
  if (identity == nullptr) {
    report.reason = "no --identity";
    return base::Done{};
  }
  report.level = 2;
  if (reader->manifest().platform == "hyper-v") {
    return look_at_exported_keys(*reader, *identity, key_identity, report);
  }
  return prove_guest_state(*reader, *identity, report);
}

}  // namespace

base::Result<VerifyReport> verify_snapshot(const SnapshotPlace& place,
                                           const catalog::Snapshot& snapshot,
                                           const keyvault::RecoveryKey* identity,
                                           const std::stop_token& stop,
                                           const KeyIdentity* key_identity) {
  VerifyReport report;
  report.snapshot = snapshot;
  base::Status status = verify_to(report, place, identity, key_identity, stop);
  if (status) return report;
  return std::move(status).error().at("snapshot", snapshot.id.hex());
}

}  // namespace sealift::restore
