#include "cli/portable.h"

#include <algorithm>

#include "cli/open.h"
#include "cli/signer_file.h"

namespace sealift::cli {

namespace {

base::Result<archive::Trust> read_trust(const Session& session, const Values& values) {
  std::vector<archive::KnownSigner> known;
  const auto add = [&known](const keyvault::SignerPublicKey& key, std::string origin) {
    const auto is_it = [&key](const archive::KnownSigner& one) {
      return one.key.id() == key.id();
    };
    if (std::ranges::any_of(known, is_it)) return;
    known.push_back({key, archive::Role::kWriter, {}, {}, std::move(origin)});
  };
  for (const std::string& file : values.all("signer")) {
    ASSIGN_OR_RETURN(const keyvault::SignerPublicKey key, read_signer(file));
    add(key, "--signer " + file);
  }
  ASSIGN_OR_RETURN(const auto vault, open_vault_if_any(session));
  if (vault) {
    add(vault->signing_key().public_key(), "this host");
    ASSIGN_OR_RETURN(const auto trusted, vault->trusted_signers());
    for (const auto& signer : trusted) add(signer.key, "trusted " + signer.name);
  }
  if (!known.empty()) return archive::Trust(std::move(known));
  return base::Error(base::ErrorCode::kUsage,
                     "nobody is named whose signature is to be believed")
      .next(
          "name the host that took the snapshot, and the one that exported it, with "
          "--signer SIGNER.pub.pem: `sealift keyvault export-signer` gives it there");
}

}  // namespace

base::Result<std::unique_ptr<archive::PortableArchive>> open_portable(
    const Session& session, const Values& values,
    const keyvault::RecoveryKey& identity) {
  ASSIGN_OR_RETURN(archive::Trust trust, read_trust(session, values));
  const std::vector<std::string> named = values.all("archive");
  const std::vector<std::string> arguments = values.arguments();
  auto opened = archive::PortableArchive::open(
      {named.begin(), named.end()}, std::move(trust),
      arguments.empty() ? std::string() : arguments.front(), identity);
  if (opened || opened.error().code() != base::ErrorCode::kCorrupt) return opened;
  return std::move(opened).error().next(
      "name whoever signed it with --signer, if that is a host you trust");
}

catalog::Snapshot snapshot_of(const archive::PortableArchive& archive) {
  const archive::Manifest& manifest = archive.manifest();
  const archive::Volume& last = archive.last_volume();
  catalog::Snapshot snapshot;
  snapshot.id = last.archive;
  snapshot.signer = last.snapshot->record.signer;
  snapshot.sequence = last.snapshot->record.sequence;
  snapshot.vm_name = manifest.vm_name;
  snapshot.vm_uuid = manifest.vm_uuid;
  snapshot.cluster = manifest.cluster;
  snapshot.host = manifest.host;
  snapshot.created = manifest.created;
  snapshot.kind = manifest.kind;
  snapshot.read = manifest.read;
  snapshot.source_bytes = manifest.source_bytes;
  snapshot.changed_bytes = manifest.changed_bytes;
  snapshot.stored_bytes = manifest.stored_bytes;
  snapshot.verdict = manifest.verdicts.front().state;
  snapshot.volumes = last.number;
  snapshot.last_volume = last.name;
  snapshot.is_opened = true;
  return snapshot;
}

}  // namespace sealift::cli
