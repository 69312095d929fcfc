// Rows of volumes without a repository: three hosts' keys, and volumes as open_volume()
// gives them.
#pragma once

#include "catalog/schema.h"
#include "catalog/volume_batch.h"
#include "tests/catalog/catalog_fixture.h"

namespace sealift::support {

using archive::Role;
using catalog::Database;
using catalog::ReadVolume;
using catalog::VolumeBatch;

struct RowsScene {
  keyvault::SigningKey anna = must(keyvault::SigningKey::generate());
  keyvault::SigningKey bert = must(keyvault::SigningKey::generate());
  keyvault::SigningKey keeper = must(keyvault::SigningKey::generate());
  archive::Trust trust{{{anna.public_key(), Role::kWriter, {}, {}, "enrolled"},
                        {bert.public_key(), Role::kWriter, {}, {}, "enrolled"},
                        {keeper.public_key(), Role::kKeeper, {}, {}, "founder"}}};
  Database database = must(Database::open({}));

  RowsScene() {
    must(prepare_schema(database,
                        archive::RepositoryId::parse(std::string(64, '1')).value()));
  }

  // A volume as open_volume() gives it, of archive aa…
  static ReadVolume volume(std::uint32_t number, const keyvault::SigningKey& signer) {
    ReadVolume read;
    read.index = catalog::Opened::kYes;
    read.volume.archive = archive::ArchiveId::parse(std::string(32, 'a')).value();
    read.volume.number = number;
    read.volume.name = archive::volume_name(read.volume.archive, number);
    read.volume.size = 8192;
    read.volume.signer = signer.public_key().id();
    read.volume.keys.push_back({.id = {},
                                .is_metadata = false,
                                .archive = read.volume.archive,
                                .content_key = {},
                                .signer = read.volume.signer});
    return read;
  }
  static ReadVolume with_snapshot(ReadVolume read, const keyvault::SigningKey& signer,
                                  char digest) {
    archive::SnapshotPart part;
    part.record.signer = signer.public_key().id();
    part.record.sequence = 1;
    part.record_digest = archive::Sha256Digest::parse(std::string(64, digest)).value();
    read.volume.snapshot = part;
    return read;
  }
  // With a chunk of each of its keys, whose id begins with `id`.
  static ReadVolume with_chunks(ReadVolume read, char id) {
    for (std::uint32_t key = 0; key < read.volume.keys.size(); ++key) {
      read.entries.push_back(
          {.id = archive::ChunkId::parse(std::string(64, id)).value(),
           .kind = archive::FrameKind::kData,
           .key = key,
           .offset = 512,
           .stored_size = 200,
           .plain_size = 100});
    }
    return read;
  }
  // Each volume's error, if it was refused.
  std::vector<base::Error> insert_all(std::vector<ReadVolume> volumes) const {
    auto batch = must(VolumeBatch::begin(database));
    for (ReadVolume& read : volumes) must(batch.add(std::move(read)));
    return must(batch.write(trust));
  }
  base::Status insert(const ReadVolume& read) const {
    auto refused = insert_all({read});
    if (refused.empty()) return base::Done{};
    return refused.front();
  }
  std::int64_t count(const std::string& table) const {
    return must(database.integer("SELECT count(*) FROM " + table));
  }
};

}  // namespace sealift::support
