#include "catalog/volume_rows.h"

#include <algorithm>

#include "archive/rule.h"

namespace sealift::catalog {

namespace {

using archive::broken;
using base::ErrorCode;

bool is_keeper(const archive::Trust& trust, const archive::SignerId& signer) {
  const archive::KnownSigner* known = trust.lookup(signer);
  return known != nullptr && known->role == archive::Role::kKeeper;
}

// Every volume of an archive comes from one host, unless a keeper rewrote it: who has
// enrolled a host must not let it slip volumes into another host's archives.
base::Status check_owner(const Database& database, const archive::Volume& volume,
                         const archive::Trust& trust) {
  if (volume.snapshot && volume.snapshot->record.signer != volume.signer &&
      !is_keeper(trust, volume.signer)) {
    return broken("R19", "the volume holds a snapshot of another host")
        .at("signer of the volume", volume.signer.hex())
        .at("signer of the snapshot", volume.snapshot->record.signer.hex());
  }
  ASSIGN_OR_RETURN(Query query,
                   database.prepare("SELECT signer FROM volume WHERE archive = ?1 "
                                    "ORDER BY number LIMIT 1"));
  ASSIGN_OR_RETURN(const bool has_other, query.with(volume.archive).next());
  if (!has_other) return base::Done{};
  const auto other = query.id<archive::SignerId>(0);
  if (other == volume.signer || is_keeper(trust, other) ||
      is_keeper(trust, volume.signer)) {
    return base::Done{};
  }
  return broken("R19", "the volume lies in an archive of another host")
      .at("signer of the volume", volume.signer.hex())
      .at("signer of the archive", other.hex());
}

base::Result<std::vector<std::int64_t>> insert_keys(const Database& database,
                                                    const archive::Volume& volume,
                                                    std::int64_t row) {
  ASSIGN_OR_RETURN(Query insert_key,
                   database.prepare("INSERT INTO frame_key(volume, position, id, "
                                    "archive, signer) VALUES (?1, ?2, ?3, ?4, ?5)"));
  std::vector<std::int64_t> key_rows;
  for (const archive::FrameKey& key : volume.keys) {
    RETURN_IF_ERROR(
        insert_key.with(row, key_rows.size(), key.id, key.archive, key.signer).run());
    key_rows.push_back(database.last_row());
  }
  return key_rows;
}

// Whether the volume's snapshot is to be written: a keeper may have moved it, verbatim,
// while the old volume is still there.
base::Result<bool> is_new_snapshot(const Database& database,
                                   const archive::Volume& volume) {
  if (!volume.snapshot) return false;
  ASSIGN_OR_RETURN(Query present,
                   database.prepare("SELECT digest FROM snapshot WHERE archive = ?1"));
  ASSIGN_OR_RETURN(const bool is_there, present.with(volume.archive).next());
  if (!is_there) return true;
  if (present.id<archive::Sha256Digest>(0) == volume.snapshot->record_digest) {
    return false;
  }
  return broken("R19", "two volumes hold different snapshots of one archive");
}

// What a listing says before the manifest could be read.
archive::Manifest unread_manifest(const archive::Volume& volume) {
  archive::Manifest manifest;
  manifest.created = volume.snapshot->record.created;
  return manifest;
}

base::Status insert_snapshot(const Database& database, const ReadVolume& read,
                             std::int64_t row) {
  const archive::Volume& volume = read.volume;
  const archive::Record& record = volume.snapshot->record;
  const archive::Manifest manifest =
      read.manifest ? *read.manifest : unread_manifest(volume);
  const std::string verdict =
      manifest.verdicts.empty() ? "" : manifest.verdicts.front().state;
  ASSIGN_OR_RETURN(
      Query insert,
      database.prepare("INSERT INTO snapshot VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
                       "0, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"));
  return insert
      .with(volume.archive, row, record.signer, record.sequence, record.previous,
            volume.snapshot->record_digest, manifest.created.seconds(), volume.number,
            read.manifest ? 1 : 0, manifest.vm_name, manifest.vm_uuid, manifest.cluster,
            manifest.host, manifest.kind, manifest.read, manifest.source_bytes,
            manifest.changed_bytes, manifest.stored_bytes, verdict)
      .run();
}

}  // namespace

base::Result<ReadVolume> read_volume(archive::Volume volume,
                                     const archive::RepositoryKeys* keys) {
  ReadVolume read;
  read.volume = std::move(volume);
  if (keys == nullptr) return read;
  auto entries = open_index(read.volume, *keys);
  if (!entries && entries.error().code() == ErrorCode::kWrongKey) {
    read.index = Opened::kOtherKey;
    return read;
  }
  if (!entries) return std::move(entries).error();
  read.index = Opened::kYes;
  read.entries = std::move(entries).value();
  if (!read.volume.snapshot) return read;
  auto parsed = open_manifest(read.volume, *keys);
  if (!parsed) return std::move(parsed).error();
  read.manifest = std::move(parsed.value().manifest);
  return read;
}

base::Result<std::vector<std::int64_t>> insert_volume(const Database& database,
                                                      const ReadVolume& read,
                                                      const archive::Trust& trust) {
  const archive::Volume& volume = read.volume;
  ASSIGN_OR_RETURN(Query present,
                   database.prepare("SELECT is_indexed FROM volume WHERE name = ?1"));
  ASSIGN_OR_RETURN(const bool is_there, present.with(volume.name).next());
  if (is_there && present.integer(0) != static_cast<int>(Opened::kNoKey)) {
    return std::vector<std::int64_t>();
  }
  static_cast<void>(present.with());  // Ends the read, so that rows can go.
  if (is_there) RETURN_IF_ERROR(delete_volume(database, volume.name));
  RETURN_IF_ERROR(check_owner(database, volume, trust));
  ASSIGN_OR_RETURN(const bool has_new_snapshot, is_new_snapshot(database, volume));
  ASSIGN_OR_RETURN(Query insert,
                   database.prepare("INSERT INTO volume(name, size, archive, number, "
                                    "signer, created, is_indexed) "
                                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  RETURN_IF_ERROR(insert
                      .with(volume.name, volume.size, volume.archive, volume.number,
                            volume.signer, volume.created.seconds(),
                            static_cast<int>(read.index))
                      .run());
  const std::int64_t row = database.last_row();
  ASSIGN_OR_RETURN(auto key_rows, insert_keys(database, volume, row));
  if (has_new_snapshot) RETURN_IF_ERROR(insert_snapshot(database, read, row));
  return key_rows;
}

base::Status delete_volume(const Database& database, const std::string& name) {
  ASSIGN_OR_RETURN(Query remove,
                   database.prepare("DELETE FROM volume WHERE name = ?1"));
  return remove.with(name).run();
}

base::Status sweep_chunks(const Database& database) {
  ASSIGN_OR_RETURN(
      const std::int64_t unswept,
      database.integer("SELECT count(*) FROM meta WHERE name = 'is_unswept'"));
  if (unswept == 0) return base::Done{};
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::begin(database, Transaction::Kind::kWrite));
  RETURN_IF_ERROR(database.execute(
      "DELETE FROM chunk WHERE frame_key NOT IN (SELECT row FROM frame_key);"
      "DELETE FROM meta WHERE name = 'is_unswept';"));
  return transaction.commit();
}

}  // namespace sealift::catalog
