#include "archive/archive_writer.h"

#include "archive/archive_session.h"
#include "archive/limits.h"
#include "archive/manifest_text.h"
#include "keyvault/key_wrap.h"

namespace sealift::archive {

namespace {

struct ArchiveParts {
  ArchiveSetting setting;
  ArchiveKeys keys;
  keyvault::Secret id_key;
  VolumeHeader header;
};

class SegmentedArchive final : public ArchiveWriter {
 public:
  explicit SegmentedArchive(ArchiveParts parts)
      : setting_(std::move(parts.setting)),
        keys_(std::move(parts.keys)),
        id_key_(std::move(parts.id_key)),
        volumes_(VolumeWriterParts{
            setting_.store, setting_.signer, std::move(parts.header),
            setting_.options.volume_size, setting_.options.volume_frames,
            setting_.settings.chunk_size,
            [this](base::ByteView plain) {
              return frames_.seal(FrameKind::kIndex, plain);
            },
            [this](const ObjectInfo& volume, std::span<const IndexEntry> entries) {
              const auto& on_volume = setting_.options.on_volume;
              if (on_volume && on_volume(volume)) frames_.forget(entries);
            }}),
        frames_(SealerParts{keys_, id_key_, counter_, setting_.settings.zstd_level,
                            setting_.on_sealed},
                setting_.known, volumes_),
        session_(frames_, setting_.settings.chunk_size) {}

  const ArchiveId& id() const override { return setting_.archive; }
  ArchiveCounts counts() const override { return session_.counts(); }

  base::Result<std::unique_ptr<ComponentWriter>> add_component(
      std::string kind, std::string name, IdScope scope, std::uint64_t size) override {
    return begin_component(session_, std::move(kind), std::move(name), scope, size);
  }

  base::Result<std::unique_ptr<ComponentWriter>> continue_disk(
      std::string name, const TreeView& earlier) override {
    if (earlier.shape().chunk_size() != setting_.settings.chunk_size) {
      return base::Error(base::ErrorCode::kDefect,
                         "a tree of another chunk size cannot be gone on from");
    }
    return begin_component(session_, "disk", std::move(name), IdScope::kShared,
                           earlier.shape().size(), {earlier.root(), earlier.load()});
  }

  base::Status add_file(std::string kind, std::string name, base::ByteView content,
                        std::map<std::string, std::string> attributes) override {
    ASSIGN_OR_RETURN(const std::unique_ptr<ComponentWriter> writer,
                     add_component(std::move(kind), std::move(name), IdScope::kPrivate,
                                   content.size()));
    for (std::uint64_t number = 0; !content.empty(); ++number) {
      const std::size_t size =
          std::min<std::size_t>(content.size(), setting_.settings.chunk_size);
      RETURN_IF_ERROR(writer->put(number, content.first(size)));
      RETURN_IF_ERROR(writer->finish_below(number + 1));
      content = content.subspan(size);
    }
    return writer->finish(std::move(attributes));
  }

  base::Result<CommittedSnapshot> commit(Manifest manifest,
                                         std::vector<ProtectionKeyFile> protection_keys,
                                         ChainPosition position) override {
    auto committed =
        commit_parts(std::move(manifest), std::move(protection_keys), position);
    if (!committed) {
      return std::move(committed).error().at("archive", setting_.archive.hex());
    }
    return committed;
  }

 private:
  base::Result<CommittedSnapshot> commit_parts(
      Manifest manifest, std::vector<ProtectionKeyFile> protection_keys,
      ChainPosition position);
  base::Status complete(Manifest& manifest,
                        std::vector<ProtectionKeyFile>& protection_keys) const;
  base::Result<base::Bytes> seal_manifest(const Manifest& manifest);
  Record snapshot_record(const LastMembers& last, std::uint32_t volumes,
                         ChainPosition position) const;

  ArchiveSetting setting_;
  ArchiveKeys keys_;
  keyvault::Secret id_key_;
  FrameCounter counter_;
  VolumeWriter volumes_;
  FrameStore frames_;
  ArchiveSession session_;
};

// Through a volatile pointer, so that the compiler cannot leave it out.
void wipe(std::string& text) {
  volatile char* const bytes = text.data();
  for (std::size_t i = 0; i < text.size(); ++i) bytes[i] = 0;
}

base::Error unwritable(std::string what) {
  return base::Error(base::ErrorCode::kDefect, std::move(what));
}

// What the writer knows itself, and the limits of what it was given.
base::Status SegmentedArchive::complete(
    Manifest& manifest, std::vector<ProtectionKeyFile>& protection_keys) const {
  const ArchiveCounts counts = session_.counts();
  manifest.source_bytes = counts.source_bytes;
  manifest.changed_bytes = counts.data_bytes;
  manifest.stored_bytes = counts.stored_bytes;
  manifest.chunk_size = setting_.settings.chunk_size;
  manifest.components = session_.components();
  manifest.protection_keys.clear();
  if (protection_keys.size() > kMaxProtectionKeys) {
    return unwritable("there are too many protection-key files");
  }
  for (std::size_t i = 0; i < protection_keys.size(); ++i) {
    ProtectionKeyFile& file = protection_keys[i];
    file.entry.member = protection_key_member(i);
    if (file.text.empty() || file.text.size() > kMaxProtectionKeySize) {
      return unwritable("a protection-key file has a size that cannot be")
          .at("member", file.entry.member);
    }
    manifest.protection_keys.push_back(file.entry);
  }
  auto checked = check_manifest(manifest);
  if (!checked) {
    base::Error error = unwritable("the snapshot's description breaks the format");
    for (const auto& place : checked.error().places()) error.at(place.kind, place.name);
    return std::move(error).because(checked.error().what());
  }
  return base::Done{};
}

base::Result<base::Bytes> SegmentedArchive::seal_manifest(const Manifest& manifest) {
  std::string text = to_json_text(manifest, id_key_.view());
  auto frame = text.size() > kMaxPlainSize
                   ? base::Result<base::Bytes>(
                         unwritable("the snapshot's description is too long"))
                   : frames_.seal(FrameKind::kManifest, base::as_bytes(text));
  wipe(text);  // It holds the id key.
  return frame;
}

Record SegmentedArchive::snapshot_record(const LastMembers& last, std::uint32_t volumes,
                                         ChainPosition position) const {
  Record record;
  record.kind = "snapshot";
  record.repository = setting_.repository;
  record.signer = setting_.signer.public_key().id();
  record.sequence = position.sequence;
  record.previous = position.previous;
  record.created = setting_.created;
  record.fields = {{"archive", setting_.archive.hex()},
                   {"volumes", std::to_string(volumes)},
                   {"manifest", keyvault::sha256(last.manifest_frame).hex()}};
  for (std::size_t i = 0; i < last.protection_keys.size(); ++i) {
    const auto digest = keyvault::sha256(base::as_bytes(last.protection_keys[i]));
    record.fields.emplace_back("protection-key",
                               protection_key_member(i) + " " + digest.hex());
  }
  return record;
}

base::Result<CommittedSnapshot> SegmentedArchive::commit_parts(
    Manifest manifest, std::vector<ProtectionKeyFile> protection_keys,
    ChainPosition position) {
  RETURN_IF_ERROR(frames_.status());
  RETURN_IF_ERROR(complete(manifest, protection_keys));
  CommittedSnapshot committed;
  committed.id = setting_.archive;

  const auto make_last = [&](std::uint32_t number) -> base::Result<LastMembers> {
    LastMembers last;
    ASSIGN_OR_RETURN(last.manifest_frame, seal_manifest(manifest));
    for (ProtectionKeyFile& file : protection_keys) {
      last.protection_keys.push_back(std::move(file.text));
    }
    last.snapshot = to_text(snapshot_record(last, number, position));
    committed.record_digest = keyvault::sha256(base::as_bytes(last.snapshot));
    ASSIGN_OR_RETURN(last.signature,
                     setting_.signer.sign(base::as_bytes(last.snapshot)));
    return last;
  };
  ASSIGN_OR_RETURN(const VolumeWriter::Totals totals, volumes_.finish(make_last));
  committed.volumes = totals.volumes;
  committed.stored_bytes = totals.bytes;
  return committed;
}

base::Result<VolumeHeader> make_header(
    const ArchiveSetting& setting, const std::vector<keyvault::Recipient>& recipients,
    const keyvault::Secret& content_key, const ArchiveKeys& keys) {
  VolumeHeader header;
  header.repository = setting.repository;
  header.archive = setting.archive;
  header.created = setting.created;
  header.signer = setting.signer.public_key().id();
  header.content_key = keys.content_id;
  for (const keyvault::Recipient& recipient : recipients) {
    ASSIGN_OR_RETURN(Envelope envelope, seal_envelope(content_key, recipient));
    header.envelopes.push_back(std::move(envelope));
  }
  header.keys = {
      {keys.data_id, false, header.archive, keys.content_id, header.signer},
      {keys.metadata_id, true, header.archive, keys.content_id, header.signer}};
  return header;
}

}  // namespace

base::Result<std::unique_ptr<ArchiveWriter>> begin_archive(
    ArchiveSetting setting, const std::vector<keyvault::Recipient>& recipients,
    const RepositoryKeys& keys, const keyvault::Secret& content_key) {
  if (!is_zstd_level(setting.settings.zstd_level) ||
      !is_chunk_size(setting.settings.chunk_size) ||
      setting.options.volume_size > kMaxVolumeFileSize / 2 ||
      setting.options.volume_frames == 0 ||
      setting.options.volume_frames >
          std::size_t{kMaxIndexEntriesInFrame} * kMaxIndexFrames) {
    return unwritable("the chunk size, compression level or volume size cannot be");
  }
  ASSIGN_OR_RETURN(ArchiveKeys own, derive_archive_keys(content_key, setting.archive));
  ASSIGN_OR_RETURN(VolumeHeader header,
                   make_header(setting, recipients, content_key, own));
  ASSIGN_OR_RETURN(base::Bytes wrapped,
                   keyvault::wrap_key(keys.metadata_wrapping_key, own.metadata));
  header.metadata_envelopes.emplace_back(own.metadata_id, std::move(wrapped));
  ASSIGN_OR_RETURN(keyvault::Secret id_key,
                   keyvault::Secret::copy_of(keys.id_key.view()));
  return std::unique_ptr<ArchiveWriter>(std::make_unique<SegmentedArchive>(ArchiveParts{
      std::move(setting), std::move(own), std::move(id_key), std::move(header)}));
}

base::Result<ArchiveId> ArchiveWriter::draw_id() {
  ArchiveId::Array id{};
  RETURN_IF_ERROR(keyvault::fill_random(id));
  return ArchiveId(id);
}

base::Result<std::unique_ptr<ArchiveWriter>> ArchiveWriter::begin(
    const Repository& repository, const RepositoryKeys& keys,
    const keyvault::SigningKey& signer, const KnownChunks& known, const ArchiveId& id,
    base::Timestamp created, const ArchiveOptions& options) {
  ASSIGN_OR_RETURN(const keyvault::Secret content_key,
                   keyvault::Secret::random(kKeySize));
  ArchiveSetting setting{repository.store(),
                         repository.id(),
                         repository.document().settings,
                         signer,
                         known,
                         created,
                         options,
                         id,
                         nullptr};
  return begin_archive(std::move(setting), repository.document().recipients, keys,
                       content_key);
}

}  // namespace sealift::archive
