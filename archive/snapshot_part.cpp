#include "archive/snapshot_part.h"

#include <algorithm>

#include "archive/manifest_text.h"
#include "archive/rule.h"
#include "keyvault/digest.h"

namespace sealift::archive {

namespace {

base::Error refused(std::string_view rule, std::string what) {
  return broken(rule, std::move(what)).at("member", "snapshot");
}

// Rule S1: the fields of the record, in their order and no others.
base::Result<Record> parse_snapshot(base::ByteView text) {
  auto record = parse_record(text);
  if (!record && record.error().code() == base::ErrorCode::kUnsupported) {
    return newer("S1", "the snapshot text is of a newer version")
        .at("member", "snapshot");
  }
  if (!record) {
    return broken_by("S1", "the snapshot text is not as it must be", record.error())
        .at("member", "snapshot");
  }
  constexpr std::array<std::string_view, 3> kFirst{"archive", "volumes", "manifest"};
  const auto& fields = record.value().fields;
  bool is_known = record.value().kind == "snapshot" && fields.size() >= kFirst.size();
  for (std::size_t i = 0; is_known && i < fields.size(); ++i) {
    is_known = fields[i].first == (i < kFirst.size() ? kFirst[i] : "protection-key");
  }
  if (!is_known)
    return refused("S1", "the snapshot text has other fields than it must");
  return record;
}

base::Status check_signer(const Record& record, const VolumeTail& tail,
                          const Trust& trust) {
  const auto signer = trust.find(record.signer, record.created);
  if (!signer) {
    return untrusted("S2", "the snapshot's signer was not trusted when it was taken",
                     signer.error())
        .at("member", "snapshot");
  }
  if (!signer.value()->key.verify(tail.content("snapshot"),
                                  tail.content("snapshot.sig"))) {
    return broken("S3", "the snapshot text is not signed by the signer that it names")
        .at("member", "snapshot.sig");
  }
  return base::Done{};
}

base::Status check_place(const Record& record, const VolumeHeader& header) {
  if (record.repository != header.repository ||
      record.fields[0].second != header.archive.hex()) {
    return refused("S4", "the snapshot text belongs to another archive");
  }
  if (record.fields[1].second != std::to_string(header.number)) {
    return refused("S5", "the archive has another number of volumes")
        .at("volumes", record.fields[1].second);
  }
  return base::Done{};
}

}  // namespace

base::Result<SnapshotPart> read_snapshot_part(const VolumeTail& tail,
                                              const VolumeHeader& header,
                                              const Trust& trust) {
  const base::ByteView text = tail.content("snapshot");
  SnapshotPart part;
  ASSIGN_OR_RETURN(part.record, parse_snapshot(text));
  part.record_digest = keyvault::sha256(text);
  part.text = base::as_text(text);
  const base::ByteView signature = tail.content("snapshot.sig");
  std::ranges::copy(signature, part.signature.begin());
  RETURN_IF_ERROR(check_signer(part.record, tail, trust));
  RETURN_IF_ERROR(check_place(part.record, header));

  const base::ByteView manifest = tail.content("manifest");
  if (part.record.fields[2].second != keyvault::sha256(manifest).hex()) {
    return broken("S6", "the manifest is not the one that the snapshot text names")
        .at("member", "manifest");
  }
  part.manifest_frame.assign(manifest.begin(), manifest.end());

  const std::size_t keys = tail.footer.key_sizes.size();
  if (part.record.fields.size() != 3 + keys) {
    return refused("S7", "the snapshot text names other protection keys");
  }
  for (std::size_t i = 0; i < keys; ++i) {
    const std::string member = protection_key_member(i);
    const base::ByteView key = tail.content(member);
    if (part.record.fields[3 + i].second !=
        member + " " + keyvault::sha256(key).hex()) {
      return broken("S7",
                    "a protection key is not the one that the snapshot text names")
          .at("member", member);
    }
    part.protection_keys.emplace_back(member, base::as_text(key));
  }
  return part;
}

}  // namespace sealift::archive
