#include "archive/snapshot_reader.h"

#include <algorithm>
#include <set>

#include "archive/chunk_reading.h"
#include "archive/limits.h"
#include "archive/manifest_text.h"
#include "archive/rule.h"

namespace sealift::archive {

namespace {

base::Error stopped() {
  return base::Error(base::ErrorCode::kInterrupted, "the reading was stopped");
}

// Keys that were added when the snapshot left its repository follow its own.
base::Result<SnapshotPart> with_added_keys(const Volume& last_volume,
                                           Manifest& manifest) {
  SnapshotPart part = *last_volume.snapshot;
  auto& entries = manifest.protection_keys;
  if (entries.size() + last_volume.added_keys.size() > kMaxProtectionKeys) {
    return broken("V12", "there are too many protection keys with those added");
  }
  for (const AddedKey& key : last_volume.added_keys) {
    const auto own = std::ranges::find(entries, key.of, &ProtectionKeyEntry::member);
    if (own == entries.end()) {
      return broken("V14", "a key was added to one that the snapshot does not have")
          .at("member", key.of);
    }
    ProtectionKeyEntry entry = *own;
    entry.member = protection_key_member(entries.size());
    entry.recipient = key.recipient;
    part.protection_keys.emplace_back(entry.member, key.text);
    entries.push_back(std::move(entry));
  }
  return part;
}

class TreeReader final : public SnapshotReader {
 public:
  TreeReader(const VolumeSource& source, const ChunkLocator& locator,
             ParsedManifest parsed, SnapshotPart part, std::string last_volume,
             keyvault::Secret metadata_wrapping_key,
             const keyvault::RecoveryKey* identity,
             std::optional<keyvault::Secret> private_id_key)
      : manifest_(std::move(parsed.manifest)),
        id_key_(std::move(parsed.id_key)),
        part_(std::move(part)),
        last_volume_(std::move(last_volume)),
        private_id_key_(std::move(private_id_key)),
        volumes_(source.store, source.repository, source.trust),
        keys_(std::move(metadata_wrapping_key), identity),
        store_(source.store),
        locator_(locator),
        source_(source.store, locator, volumes_, keys_) {}

  const Manifest& manifest() const override { return manifest_; }
  const Record& record() const override { return part_.record; }
  const std::vector<std::pair<std::string, std::string>>& protection_keys()
      const override {
    return part_.protection_keys;
  }

  using SnapshotReader::read;
  base::Status read(const Component& component, const ChunkSink& sink, unsigned jobs,
                    std::stop_token stop, SegmentChecks* checks) const override;
  base::Result<base::Bytes> read_whole(const Component& component,
                                       std::uint64_t limit) const override;
  base::Result<TreeView> view(const Component& component) const override;
  base::Status frames_needed(const PlaceSink& sink,
                             std::stop_token stop) const override;
  base::Result<std::vector<std::string>> volumes_needed(
      std::stop_token stop) const override;

 private:
  TreeShape shape_of(const Component& component) const {
    return {component.size, manifest_.chunk_size};
  }
  base::Result<OpeningState> make_state() const;
  base::Result<Page> open_page(const Component& component, const ChunkId& id,
                               std::uint32_t level, std::uint32_t ids,
                               OpeningState& state) const;
  base::Status tell_place(const ChunkId& id, const PlaceSink& sink) const;
  base::Status tell_places(const Component& component, const PlaceSink& sink,
                           const std::stop_token& stop) const;

  Manifest manifest_;
  keyvault::Secret id_key_;
  SnapshotPart part_;
  std::string last_volume_;
  std::optional<keyvault::Secret> private_id_key_;
  // Caches behind locks of their own: reading fills them.
  mutable VolumeSet volumes_;
  mutable FrameKeys keys_;
  const ObjectReader& store_;
  const ChunkLocator& locator_;
  FrameSource source_;
};

base::Result<OpeningState> TreeReader::make_state() const {
  ASSIGN_OR_RETURN(FrameOpener opener, FrameOpener::create());
  ASSIGN_OR_RETURN(keyvault::HmacSha256 shared_ids,
                   keyvault::HmacSha256::create(id_key_));
  OpeningState state{std::move(opener), std::move(shared_ids), {}, {}, {}};
  if (private_id_key_) {
    ASSIGN_OR_RETURN(state.private_ids, keyvault::HmacSha256::create(*private_id_key_));
  }
  return state;
}

base::Result<Page> TreeReader::open_page(const Component& component, const ChunkId& id,
                                         std::uint32_t level, std::uint32_t ids,
                                         OpeningState& state) const {
  auto plain = source_.open({FrameKind::kPage, component.scope, id}, state);
  if (!plain) return std::move(plain).error();
  return decode_page(plain.value(), level, ids);
}

base::Status TreeReader::read(const Component& component, const ChunkSink& sink,
                              unsigned jobs, std::stop_token stop,
                              SegmentChecks* checks) const {
  if (!keys_.has_identity() && !component.root.is_zero()) {
    return base::Error(base::ErrorCode::kWrongKey,
                       "reading the content of a VM needs a recovery key")
        .at(component.kind, component.name)
        .next("name it with --identity");
  }
  ASSIGN_OR_RETURN(OpeningState page_state, make_state());
  const TreeShape shape = shape_of(component);
  PageWalk walk(shape, component.root,
                [&](const ChunkId& id, std::uint32_t level, std::uint32_t ids) {
                  return open_page(component, id, level, ids, page_state);
                });
  const ChunkReading reading{component, shape,          store_,
                             source_,   checks,         [this] { return make_state(); },
                             sink,      std::move(stop)};
  auto status =
      read_chunks(reading, ReadingOrder(std::move(walk), locator_, checks), jobs);
  if (status) return status;
  base::Error error = std::move(status).error();
  bool has_component = error.code() == base::ErrorCode::kInterrupted;
  for (const auto& place : error.places()) {
    has_component = has_component || place.kind == component.kind;
  }
  if (!has_component) error.at(component.kind, component.name);
  return error;
}

base::Result<base::Bytes> TreeReader::read_whole(const Component& component,
                                                 std::uint64_t limit) const {
  if (component.size > limit) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "a component is larger than it may be")
        .at(component.kind, component.name);
  }
  base::Bytes content(component.size);
  const auto sink = [&content](std::uint64_t offset,
                               base::ByteView chunk) -> base::Status {
    std::ranges::copy(chunk, content.begin() + static_cast<std::ptrdiff_t>(offset));
    return base::Done{};
  };
  RETURN_IF_ERROR(read(component, sink, 1, {}));
  return content;
}

base::Result<TreeView> TreeReader::view(const Component& component) const {
  if (component.scope != IdScope::kShared) {
    return base::Error(base::ErrorCode::kDefect,
                       "only a disk's tree can be looked at without a recovery key")
        .at(component.kind, component.name);
  }
  ASSIGN_OR_RETURN(OpeningState made, make_state());
  const auto state = std::make_shared<OpeningState>(std::move(made));
  ASSIGN_OR_RETURN(keyvault::HmacSha256 ids, keyvault::HmacSha256::create(id_key_));
  auto load = [this, component, state](const ChunkId& id, std::uint32_t level,
                                       std::uint32_t count) -> base::Result<Page> {
    auto page = open_page(component, id, level, count, *state);
    if (page) return page;
    return std::move(page).error().at(component.kind, component.name);
  };
  return TreeView(shape_of(component), component.root, std::move(load), std::move(ids));
}

base::Status TreeReader::tell_place(const ChunkId& id, const PlaceSink& sink) const {
  ASSIGN_OR_RETURN(const std::vector<ChunkLocation> locations, source_.locate(id));
  return sink(id, locations.front());
}

base::Status TreeReader::tell_places(const Component& component, const PlaceSink& sink,
                                     const std::stop_token& stop) const {
  ASSIGN_OR_RETURN(OpeningState state, make_state());
  PageWalk walk(shape_of(component), component.root,
                [&](const ChunkId& id, std::uint32_t level,
                    std::uint32_t ids) -> base::Result<Page> {
                  RETURN_IF_ERROR(tell_place(id, sink));
                  return open_page(component, id, level, ids, state);
                });
  while (true) {
    if (stop.stop_requested()) return stopped();
    ASSIGN_OR_RETURN(const std::optional<ChunkReference> reference, walk.next());
    if (!reference) return base::Done{};
    RETURN_IF_ERROR(tell_place(reference->id, sink));
  }
}

base::Status TreeReader::frames_needed(const PlaceSink& sink,
                                       std::stop_token stop) const {
  for (const Component& component : manifest_.components) {
    auto told = tell_places(component, sink, stop);
    if (!told) return std::move(told).error().at(component.kind, component.name);
  }
  return base::Done{};
}

base::Result<std::vector<std::string>> TreeReader::volumes_needed(
    std::stop_token stop) const {
  std::set<std::string> names{last_volume_};
  const auto note = [&names](const ChunkId&,
                             const ChunkLocation& location) -> base::Status {
    names.insert(location.volume);
    return base::Done{};
  };
  RETURN_IF_ERROR(frames_needed(note, std::move(stop)));
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace

base::Result<std::unique_ptr<SnapshotReader>> SnapshotReader::open(
    const VolumeSource& source, const Volume& last_volume, const RepositoryKeys& keys,
    const keyvault::RecoveryKey* identity, const ChunkLocator& locator) {
  ASSIGN_OR_RETURN(ParsedManifest parsed, open_manifest(last_volume, keys));
  if (source.chunk_size && parsed.manifest.chunk_size != *source.chunk_size) {
    return broken("M7", "the manifest has another chunk size than the repository")
        .at("member", "manifest")
        .at("volume", last_volume.name);
  }
  ASSIGN_OR_RETURN(keyvault::Secret wrapping_key,
                   keyvault::Secret::copy_of(keys.metadata_wrapping_key.view()));
  std::optional<keyvault::Secret> private_id_key;
  if (identity != nullptr) {
    const FrameKeys unwrapping({}, identity);
    auto own = unwrapping.archive_keys(last_volume);
    if (!own) return std::move(own).error().at("volume", last_volume.name);
    private_id_key = std::move(own.value().private_id);
  }
  ASSIGN_OR_RETURN(SnapshotPart part, with_added_keys(last_volume, parsed.manifest));
  return std::unique_ptr<SnapshotReader>(std::make_unique<TreeReader>(
      source, locator, std::move(parsed), std::move(part), last_volume.name,
      std::move(wrapping_key), identity, std::move(private_id_key)));
}

base::Result<std::unique_ptr<SnapshotReader>> SnapshotReader::open(
    const VolumeSource& source, const Volume& last_volume,
    const keyvault::RecoveryKey& identity, const ChunkLocator& locator) {
  ASSIGN_OR_RETURN(ParsedManifest parsed, open_manifest(last_volume, identity));
  auto own = FrameKeys({}, &identity).archive_keys(last_volume);
  if (!own) return std::move(own).error().at("volume", last_volume.name);
  ASSIGN_OR_RETURN(SnapshotPart part, with_added_keys(last_volume, parsed.manifest));
  return std::unique_ptr<SnapshotReader>(std::make_unique<TreeReader>(
      source, locator, std::move(parsed), std::move(part), last_volume.name,
      keyvault::Secret(), &identity, std::move(own.value().private_id)));
}

}  // namespace sealift::archive
