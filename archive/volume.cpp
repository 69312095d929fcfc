#include "archive/volume.h"

#include "archive/frame.h"
#include "archive/frame_keys.h"
#include "archive/metadata_frame.h"
#include "archive/rule.h"
#include "archive/snapshot_part.h"
#include "archive/volume_tail.h"

namespace sealift::archive {

namespace {

base::Result<Volume> read_volume(const ObjectReader& store, const ObjectInfo& object,
                                 const RepositoryId& repository, const Trust& trust) {
  ASSIGN_OR_RETURN(const VolumeTail tail, read_volume_tail(store, object, trust));
  ASSIGN_OR_RETURN(VolumeHeader header,
                   read_volume_header(store, object.name, tail, repository, trust));
  Volume volume;
  if (tail.footer.has_snapshot()) {
    ASSIGN_OR_RETURN(volume.snapshot, read_snapshot_part(tail, header, trust));
  }
  volume.name = object.name;
  volume.size = object.size;
  volume.repository = header.repository;
  volume.archive = header.archive;
  volume.number = header.number;
  volume.signer = header.signer;
  volume.created = header.created;
  volume.content_key = header.content_key;
  volume.envelopes = std::move(header.envelopes);
  volume.keys = std::move(header.keys);
  volume.metadata_envelopes = std::move(header.metadata_envelopes);
  volume.added_keys = std::move(header.added_keys);
  const base::ByteView index = tail.content("index");
  volume.index_frames.assign(index.begin(), index.end());
  return volume;
}

base::Error holds_no_snapshot() {
  return base::Error(base::ErrorCode::kNotFound, "the volume holds no snapshot");
}

base::Status check_protection_keys(const ParsedManifest& parsed, const Volume& volume) {
  const auto& entries = parsed.manifest.protection_keys;
  const auto& members = volume.snapshot->protection_keys;
  bool is_same = entries.size() == members.size();
  for (std::size_t i = 0; is_same && i < entries.size(); ++i) {
    is_same = entries[i].member == members[i].first;
  }
  if (is_same) return base::Done{};
  return broken("M8", "the manifest names other protection keys than are there");
}

base::Result<ParsedManifest> read_manifest(const Volume& volume,
                                           const RepositoryKeys& keys) {
  if (!volume.snapshot) return holds_no_snapshot();
  ASSIGN_OR_RETURN(MetadataFrames frames, MetadataFrames::open(volume, keys));
  ASSIGN_OR_RETURN(
      const base::ByteView text,
      frames.open_frame(volume.snapshot->manifest_frame, FrameKind::kManifest));
  ASSIGN_OR_RETURN(ParsedManifest parsed, parse_manifest(text));
  if (!keyvault::is_same(parsed.id_key.view(), keys.id_key.view())) {
    return broken("M7", "the manifest's trees were made with another id key");
  }
  RETURN_IF_ERROR(check_protection_keys(parsed, volume));
  return parsed;
}

base::Result<ParsedManifest> read_manifest(const Volume& volume,
                                           const keyvault::RecoveryKey& identity) {
  if (!volume.snapshot) return holds_no_snapshot();
  ASSIGN_OR_RETURN(const ArchiveKeys keys,
                   FrameKeys({}, &identity).archive_keys(volume));
  ASSIGN_OR_RETURN(FrameCipher cipher, FrameCipher::create(keys.metadata));
  ASSIGN_OR_RETURN(FrameOpener opener, FrameOpener::create());
  const base::ByteView frame = volume.snapshot->manifest_frame;
  ASSIGN_OR_RETURN(const FrameHeader header,
                   examine_frame(frame, WantedFrame{FrameKind::kManifest}));
  ASSIGN_OR_RETURN(const base::ByteView text,
                   opener.open_unidentified(frame, header, cipher));
  ASSIGN_OR_RETURN(ParsedManifest parsed, parse_manifest(text));
  ASSIGN_OR_RETURN(keyvault::HmacSha256 ids,
                   keyvault::HmacSha256::create(parsed.id_key));
  RETURN_IF_ERROR(check_chunk_id(header, ids, text));
  RETURN_IF_ERROR(check_protection_keys(parsed, volume));
  return parsed;
}

template <typename Keys>
base::Result<ParsedManifest> told_manifest(const Volume& volume, const Keys& keys) {
  auto manifest = read_manifest(volume, keys);
  if (manifest) return manifest;
  return std::move(manifest).error().at("member", "manifest").at("volume", volume.name);
}

}  // namespace

base::Result<Volume> open_volume(const ObjectReader& store, const ObjectInfo& object,
                                 const RepositoryId& repository, const Trust& trust) {
  auto volume = read_volume(store, object, repository, trust);
  if (!volume) return std::move(volume).error().at("volume", object.name);
  return volume;
}

base::Result<ParsedManifest> open_manifest(const Volume& volume,
                                           const RepositoryKeys& keys) {
  return told_manifest(volume, keys);
}

base::Result<ParsedManifest> open_manifest(const Volume& volume,
                                           const keyvault::RecoveryKey& identity) {
  return told_manifest(volume, identity);
}

}  // namespace sealift::archive
