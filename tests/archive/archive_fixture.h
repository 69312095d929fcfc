// A repository without its documents: keys, signer, store; archives written into it.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "archive/archive_keys.h"
#include "archive/archive_session.h"
#include "archive/segment_checks.h"
#include "archive/snapshot_reader.h"
#include "keyvault/recovery_key.h"
#include "tests/support/memory_object_store.h"

namespace sealift::archive {

constexpr std::uint32_t kTestChunkSize = kMinChunkSize;

/// Makes keys once for the whole program: RSA keys are slow to draw.
struct TestKeys {
  keyvault::RecoveryKey recovery = keyvault::RecoveryKey::generate(2048).value();
  keyvault::RecoveryKey other_recovery = keyvault::RecoveryKey::generate(2048).value();
  keyvault::SigningKey signer = keyvault::SigningKey::generate().value();
  keyvault::SigningKey stranger = keyvault::SigningKey::generate().value();
  RepositoryKeys repository{keyvault::Secret::random(kKeySize).value(),
                            keyvault::Secret::random(kKeySize).value()};
  RepositoryKeys other_repository{keyvault::Secret::random(kKeySize).value(),
                                  keyvault::Secret::random(kKeySize).value()};

  static const TestKeys& get() {
    static const TestKeys keys;
    return keys;
  }
};

/// The value; throws the error, so that a failing test shows it.
template <typename T>
T must(base::Result<T> result) {
  if (!result) throw std::runtime_error(base::render(result.error()));
  return std::move(result).value();
}

class NothingKnown final : public KnownChunks {
 public:
  base::Result<bool> contains(const ChunkId&) const override { return false; }
};

/// Every place that the indexes of some volumes claim.
class TestLocator final : public ChunkLocator {
 public:
  std::map<ChunkId, std::vector<ChunkLocation>> places;

  base::Result<std::vector<ChunkLocation>> locate(const ChunkId& id) const override {
    const auto found = places.find(id);
    return found == places.end() ? std::vector<ChunkLocation>{} : found->second;
  }

  void add(const Volume& volume, const RepositoryKeys& keys) {
    for (const IndexEntry& entry : must(open_index(volume, keys))) {
      places[entry.id].push_back({volume.name, entry.offset, entry.stored_size});
    }
  }
};

/// What the fixture writes by default: a disk with holes, and three small files.
struct TestContent {
  std::uint64_t disk_size = 7 * kTestChunkSize + 1000;
  std::map<std::uint64_t, base::Bytes> disk;  ///< Chunks by number.
  base::Bytes domain = {std::byte{'x'}, std::byte{'m'}, std::byte{'l'}};
  base::Bytes state;
};

/// Bytes that do not compress and differ by `seed`.
inline base::Bytes noise(std::size_t size, std::uint64_t seed) {
  base::Bytes bytes(size);
  std::uint64_t state = seed * 0x9e3779b97f4a7c15U + 1;
  for (std::byte& byte : bytes) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    byte = static_cast<std::byte>(state & 0xffU);
  }
  return bytes;
}

inline base::Bytes repeated(std::size_t size, unsigned char value) {
  return base::Bytes(size, static_cast<std::byte>(value));
}

inline TestContent default_content() {
  TestContent content;
  content.disk[0] = noise(kTestChunkSize, 1);
  content.disk[2] = repeated(kTestChunkSize, 'a');
  content.disk[3] = repeated(kTestChunkSize, 0);
  content.disk[5] = content.disk[0];
  content.disk[7] = noise(1000, 2);
  content.state = noise(kTestChunkSize + 77, 3);
  return content;
}

inline base::Bytes whole_disk(const TestContent& content) {
  base::Bytes disk(content.disk_size);
  for (const auto& [number, chunk] : content.disk) {
    std::ranges::copy(
        chunk, disk.begin() + static_cast<std::ptrdiff_t>(number * kTestChunkSize));
  }
  return disk;
}

/// Level 1 of one volume: every byte against the sums and the one byte form.
inline base::Status check_every_byte(const ObjectReader& store, const Volume& volume,
                                     const Trust& trust) {
  SegmentChecks checks(store, trust);
  RETURN_IF_ERROR(checks.add(volume));
  return checks.check_rest(1, {}, {});
}

class ArchiveFixture {
 public:
  support::MemoryObjectStore store;
  RepositoryId repository = RepositoryId::from(repeated(32, 0x77));
  Trust trust{
      {KnownSigner{keys().signer.public_key(), Role::kWriter, {}, {}, "founder"}}};
  NothingKnown nothing_known;
  const KnownChunks* known = &nothing_known;
  ArchiveOptions options;
  RepositorySettings settings{.chunk_size = kTestChunkSize};
  base::Timestamp created =
      base::Timestamp::parse_stored("2026-11-23T18:00:00Z").value();
  ChainPosition position;
  std::function<void(std::span<std::byte>)> on_sealed;
  std::vector<keyvault::Recipient> recipients{keys().recovery.recipient(),
                                              keys().other_recovery.recipient()};

  static const TestKeys& keys() { return TestKeys::get(); }

  static Manifest description() {
    Manifest manifest;
    manifest.vm_name = "web 01 \xc3\xa9";
    manifest.vm_uuid = "6f0c1d3e-0000-4000-8000-0123456789ab";
    manifest.platform = "libvirt";
    manifest.cluster = "cluster-a";
    manifest.host = "host-1";
    manifest.created = base::Timestamp::parse_stored("2026-11-23T17:59:59Z").value();
    manifest.kind = "full";
    manifest.read = "all";
    manifest.verdicts = {{"", "complete", ""}, {"disk vda", "complete", ""}};
    manifest.consistency = {{"method", "pause"}, {"pause_milliseconds", "120"}};
    manifest.versions = {{"qemu", "7.2"}};
    return manifest;
  }

  base::Result<std::unique_ptr<ArchiveWriter>> begin(
      unsigned char id = 0xa0,
      const keyvault::SigningKey& signer = keys().signer) const {
    const auto content_key = keyvault::Secret::random(kKeySize).value();
    return begin_archive(
        {const_cast<support::MemoryObjectStore&>(store), repository, settings, signer,
         *known, created, options, ArchiveId::from(repeated(16, id)), on_sealed},
        recipients, keys().repository, content_key);
  }

  static base::Status put_content(ArchiveWriter& writer, const TestContent& content) {
    RETURN_IF_ERROR(writer.add_file("config", "domain.xml", content.domain, {}));
    ASSIGN_OR_RETURN(
        const auto disk,
        writer.add_component("disk", "vda", IdScope::kShared, content.disk_size));
    for (const auto& [number, chunk] : content.disk) {
      RETURN_IF_ERROR(disk->put(number, chunk));
    }
    RETURN_IF_ERROR(disk->finish({{"format", "qcow2"}}));
    RETURN_IF_ERROR(
        writer.add_file("guest-state", "tpm2-00.permall", content.state, {}));
    return writer.add_file("firmware-vars", "empty", {}, {});
  }

  /// A whole archive. The same id twice is refused by the store.
  base::Result<CommittedSnapshot> write(
      const TestContent& content, unsigned char id = 0xa0,
      const keyvault::SigningKey& signer = keys().signer) const {
    ASSIGN_OR_RETURN(const auto writer, begin(id, signer));
    RETURN_IF_ERROR(put_content(*writer, content));
    ProtectionKeyEntry entry;
    entry.recipient = recipients.front().id();
    entry.key_name = "secret";
    entry.encoding = "RSA_AES_KEY_WRAP_256";
    return writer->commit(description(), {{entry, "{\"enc\":1}"}, {entry, "{}"}},
                          position);
  }

  base::Result<Volume> open(const std::string& name) const {
    ASSIGN_OR_RETURN(const ObjectInfo object, store.examine(name));
    return open_volume(store, object, repository, trust);
  }

  TestLocator locate_all() const {
    TestLocator locator;
    for (const auto& [name, bytes] : store.objects) {
      locator.add(must(open(name)), keys().repository);
    }
    return locator;
  }

  VolumeSource reading() const { return {store, repository, trust, kTestChunkSize}; }

  base::Result<std::unique_ptr<SnapshotReader>> read(
      const Volume& last, const ChunkLocator& locator,
      const keyvault::RecoveryKey* identity = &keys().recovery) const {
    return SnapshotReader::open(reading(), last, keys().repository, identity, locator);
  }
};

inline const Component& component_of(const SnapshotReader& reader,
                                     std::string_view kind) {
  for (const Component& component : reader.manifest().components) {
    if (component.kind == kind) return component;
  }
  throw std::out_of_range("no such component");
}

inline std::string place_of(const base::Error& error, std::string_view kind) {
  for (const auto& place : error.places()) {
    if (place.kind == kind) return place.name;
  }
  return "";
}

}  // namespace sealift::archive
