#include "catalog/listing_check.h"

#include <vector>

#include "archive/rule.h"
#include "archive/volume.h"
#include "catalog/volume_rows.h"

namespace sealift::catalog {

namespace {

using archive::broken;
using base::ErrorCode;

struct KnownVolume {
  std::string name;
  std::uint64_t size = 0;
  archive::ArchiveId archive;
  std::string vm;  ///< Empty when the archive has no opened snapshot.
};

base::Result<std::vector<KnownVolume>> known_volumes(const Database& database) {
  ASSIGN_OR_RETURN(
      Query query,
      database.prepare("SELECT v.name, v.size, v.archive, ifnull(s.vm_name, '') "
                       "FROM volume v LEFT JOIN snapshot s ON s.archive = v.archive "
                       "ORDER BY v.name"));
  std::vector<KnownVolume> known;
  for (;;) {
    ASSIGN_OR_RETURN(const bool has_row, query.next());
    if (!has_row) return known;
    known.push_back({query.text(0), query.number(1), query.id<archive::ArchiveId>(2),
                     query.text(3)});
  }
}

base::Error with_places(base::Error error, const KnownVolume& volume,
                        const archive::Repository& repository) {
  error.at("volume", volume.name).at("archive", volume.archive.hex());
  if (!volume.vm.empty()) error.at("vm", volume.vm);
  error.at("repository", repository.store().place());
  return error;
}

base::Error vanished(const KnownVolume& volume, const archive::Repository& repository) {
  return with_places(broken("R20",
                            "a volume that was here is gone, and no keeper "
                            "removed it"),
                     volume, repository)
      .next(
          "find out who took it away, and bring it back from a copy of the repository")
      .next(kRestoreTheRest);
}

base::Error changed_size(const KnownVolume& volume, std::uint64_t size,
                         const archive::Repository& repository) {
  return with_places(
             broken("R20", "a volume changed: it has " + std::to_string(size) +
                               " bytes now, and had " + std::to_string(volume.size)),
             volume, repository)
      .next("bring it back from a copy of the repository")
      .next(kRestoreTheRest);
}

base::Error nothing_there(std::size_t known, const archive::Repository& repository) {
  return broken("R20", "the repository shows no archive, and had " +
                           std::to_string(known) + " volumes before")
      .at("repository", repository.store().place())
      .next("is it mounted, and is it the right folder? nothing is assumed meanwhile");
}

// Whether the object is really not there: another process may have listed later.
base::Result<bool> is_gone(const archive::Repository& repository,
                           const std::string& name) {
  const auto found = repository.store().examine(name);
  if (found) return false;
  if (found.error().code() == ErrorCode::kNotFound) return true;
  return found.error();
}

// Of the archives of which the catalog says otherwise.
using Wholeness = std::vector<std::pair<archive::ArchiveId, bool>>;

// Its queries end with it: SQLite refuses to write beneath an open read when another
// process has written since, and waits for nobody (SQLITE_BUSY_SNAPSHOT).
base::Result<Wholeness> examine_archives(const Database& database,
                                         const archive::Repository& repository,
                                         const Listing& listing,
                                         const std::set<std::string>& removed,
                                         Losses& losses) {
  ASSIGN_OR_RETURN(
      Query snapshots,
      database.prepare("SELECT archive, volumes, vm_name, is_whole FROM snapshot"));
  ASSIGN_OR_RETURN(Query believed,
                   database.prepare("SELECT 1 FROM volume WHERE name = ?1"));
  Wholeness wholeness;
  for (;;) {
    ASSIGN_OR_RETURN(const bool has_row, snapshots.next());
    if (!has_row) return wholeness;
    const auto archive = snapshots.id<archive::ArchiveId>(0);
    bool is_whole = true;
    for (std::uint32_t number = 1; number <= snapshots.number(1); ++number) {
      const std::string name = archive::volume_name(archive, number);
      ASSIGN_OR_RETURN(const bool is_believed, believed.with(name).next());
      const bool is_lost = losses.volumes().contains(name);
      if ((is_believed && !is_lost) || removed.contains(name)) continue;
      is_whole = false;
      if (is_lost) continue;  // Said already.
      if (listing.contains(name)) continue;
      ASSIGN_OR_RETURN(const bool is_missing, is_gone(repository, name));
      if (!is_missing) continue;
      const KnownVolume missing{name, 0, archive, snapshots.text(2)};
      RETURN_IF_ERROR(
          losses.add(with_places(broken("R20", "a volume of an archive is missing"),
                                 missing, repository)
                         .next("bring it back from a copy of the repository; without "
                               "it the snapshot cannot be restored")
                         .next(kRestoreTheRest)));
    }
    if (is_whole != (snapshots.integer(3) != 0)) {
      wholeness.emplace_back(archive, is_whole);
    }
  }
}

}  // namespace

base::Status check_known_volumes(const Database& database,
                                 const archive::Repository& repository,
                                 const Listing& listing,
                                 const std::set<std::string>& removed, Losses& losses) {
  ASSIGN_OR_RETURN(const std::vector<KnownVolume> known, known_volumes(database));
  for (const KnownVolume& volume : known) {
    const auto found = listing.find(volume.name);
    if (found != listing.end()) {
      if (found->second == volume.size) continue;
      RETURN_IF_ERROR(losses.add_volume(
          volume.name, changed_size(volume, found->second, repository)));
      continue;
    }
    ASSIGN_OR_RETURN(const bool is_missing, is_gone(repository, volume.name));
    if (!is_missing) continue;
    if (!removed.contains(volume.name)) {
      if (listing.empty()) return nothing_there(known.size(), repository);
      RETURN_IF_ERROR(losses.add_volume(volume.name, vanished(volume, repository)));
      continue;
    }
    RETURN_IF_ERROR(delete_volume(database, volume.name));
  }
  return base::Done{};
}

base::Status check_archives(const Database& database,
                            const archive::Repository& repository,
                            const Listing& listing,
                            const std::set<std::string>& removed, Losses& losses) {
  ASSIGN_OR_RETURN(const Wholeness wholeness,
                   examine_archives(database, repository, listing, removed, losses));
  ASSIGN_OR_RETURN(Query update, database.prepare("UPDATE snapshot SET is_whole = ?2 "
                                                  "WHERE archive = ?1"));
  for (const auto& [archive, is_whole] : wholeness) {
    RETURN_IF_ERROR(update.with(archive, is_whole ? 1 : 0).run());
  }
  return base::Done{};
}

}  // namespace sealift::catalog
