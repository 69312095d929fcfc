// A repository with hosts that back up for real, and catalogs of it.
#pragma once

#include "catalog/catalog.h"
#include "tests/archive/repository_fixture.h"

namespace sealift::support {

/// What one backup is given; the disk's chunks are noise made from seeds.
struct Backup {
  std::string vm = "web-01";
  std::string uuid = "6f0c1d3e-0000-4000-8000-0123456789ab";
  base::Timestamp created = at(100);
  std::vector<std::uint64_t> chunks = {1, 2, 3};
  std::uint64_t volume_size = std::uint64_t{1} << 30U;
  std::string verdict = "complete";
};

inline base::Bytes chunk_of(std::uint64_t seed) {
  base::Bytes bytes(archive::kMinChunkSize);
  std::uint64_t state = seed * 0x9e3779b97f4a7c15U + 1;
  for (std::byte& byte : bytes) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    byte = static_cast<std::byte>(state & 0xffU);
  }
  return bytes;
}

/// The value; throws the error's text, so that a failing test shows it.
template <typename T>
T must(base::Result<T> result) {
  if (!result) throw std::runtime_error(base::render(result.error()));
  return std::move(result).value();
}

inline archive::Manifest manifest_of(const Backup& backup) {
  archive::Manifest manifest;
  manifest.vm_name = backup.vm;
  manifest.vm_uuid = backup.uuid;
  manifest.platform = "libvirt";
  manifest.cluster = "cluster-a";
  manifest.host = "host-1";
  manifest.created = backup.created;
  manifest.kind = "full";
  manifest.read = "all";
  manifest.verdicts = {{"", backup.verdict, ""}};
  return manifest;
}

class CatalogScene {
 public:
  RepositoryInFolder repository;
  Host anna;
  Host bert;

  CatalogScene() {
    enrol(anna, "writer");
    enrol(bert, "writer");
  }

  archive::Repository open() const { return must(repository.open()); }
  archive::RepositoryKeys keys() const {
    return must(open().keys(repository.founder.vault));
  }
  std::unique_ptr<catalog::Catalog> memory() const {
    return must(catalog::Catalog::open_in_memory(repository.made.id()));
  }
  std::filesystem::path path_of(const std::string& object) const {
    return repository.folder.path() / object;
  }

  void enrol(const Host& host, std::string_view role) {
    keeper_record("enrolled", [&](archive::Record record) {
      return enrolled(std::move(record), host.key().public_key(), role);
    });
  }

  /// A record of the founder, after what the repository shows of it.
  void keeper_record(const std::string& kind,
                     const std::function<archive::Record(archive::Record)>& fill,
                     base::Timestamp created = at(1)) {
    archive::Record record =
        fill(next_record(open(), repository.founder.id(), kind, created));
    must(put_record(*repository.store(), record, signed_by(repository.founder.key())));
  }

  /// Backs up through `catalog`, as the host's program would.
  archive::CommittedSnapshot back_up(Host& host, catalog::Catalog& catalog,
                                     const Backup& backup) {
    const archive::Repository opened = open();
    const archive::RepositoryKeys opened_keys = keys();
    must(catalog.refresh(opened, &opened_keys, host.id(), {},
                         catalog::Unbelieved::kSkip));
    const auto writer = must(archive::ArchiveWriter::begin(
        opened, opened_keys, host.key(), catalog,
        must(archive::ArchiveWriter::draw_id()), backup.created,
        {.volume_size = backup.volume_size}));
    const std::uint64_t size = backup.chunks.size() * archive::kMinChunkSize;
    const auto disk =
        must(writer->add_component("disk", "vda", archive::IdScope::kShared, size));
    for (std::size_t i = 0; i < backup.chunks.size(); ++i) {
      must(disk->put(i, chunk_of(backup.chunks[i])));
    }
    must(disk->finish({}));
    must(writer->add_file("config", "domain.xml", base::as_bytes("<domain/>"), {}));
    archive::CommittedSnapshot committed;
    must(archive::extend_chain_after(
        host.vault, opened.id(), [&] { return catalog.head(host.id()); },
        [&](archive::ChainPosition position) -> base::Result<archive::Sha256Digest> {
          ASSIGN_OR_RETURN(committed,
                           writer->commit(manifest_of(backup), {}, position));
          return committed.record_digest;
        }));
    return committed;
  }

  archive::CommittedSnapshot back_up(Host& host, const Backup& backup) {
    return back_up(host, *memory(), backup);
  }

  /// A backup that dies before its last volume: its finished volumes stay.
  void back_up_half(Host& host, const Backup& backup) { write_half(host, backup); }

  /// A backup that takes `position`, whatever the host's chain says.
  archive::CommittedSnapshot back_up_at(Host& host, const Backup& backup,
                                        archive::ChainPosition position) {
    const auto catalog = memory();
    const archive::Repository opened = open();
    const auto writer = write_half(opened, host, backup, *catalog);
    return must(writer->commit(manifest_of(backup), {}, position));
  }

 private:
  void write_half(Host& host, const Backup& backup) {
    const auto catalog = memory();
    const archive::Repository opened = open();
    static_cast<void>(write_half(opened, host, backup, *catalog));
  }

  std::unique_ptr<archive::ArchiveWriter> write_half(const archive::Repository& opened,
                                                     Host& host, const Backup& backup,
                                                     const catalog::Catalog& catalog) {
    const archive::RepositoryKeys opened_keys = keys();
    auto writer = must(archive::ArchiveWriter::begin(
        opened, opened_keys, host.key(), catalog,
        must(archive::ArchiveWriter::draw_id()), backup.created,
        {.volume_size = backup.volume_size}));
    const std::uint64_t size = backup.chunks.size() * archive::kMinChunkSize;
    const auto disk =
        must(writer->add_component("disk", "vda", archive::IdScope::kShared, size));
    for (std::size_t i = 0; i < backup.chunks.size(); ++i) {
      must(disk->put(i, chunk_of(backup.chunks[i])));
    }
    must(disk->finish({}));
    return writer;
  }

 public:
  base::Result<catalog::RefreshReport> refresh(
      catalog::Catalog& catalog,
      catalog::Unbelieved unbelieved = catalog::Unbelieved::kStop,
      const std::optional<archive::SignerId>& own = {},
      const std::optional<keyvault::ChainHead>& head = {}) const {
    const archive::RepositoryKeys opened_keys = keys();
    ASSIGN_OR_RETURN(const archive::Repository opened, repository.open());
    return catalog.refresh(opened, &opened_keys, own, head, unbelieved);
  }

  /// The id that the disk chunk of this seed has in the repository.
  archive::ChunkId chunk_id(std::uint64_t seed) const {
    const archive::RepositoryKeys opened_keys = keys();
    auto mac = must(keyvault::HmacSha256::create(opened_keys.id_key));
    const std::byte kind{1};
    return archive::ChunkId(mac.of({{&kind, 1}, chunk_of(seed)}).bytes());
  }
};

}  // namespace sealift::support
