#include "catalog/snapshot_rows.h"

#include "base/uuid.h"

namespace sealift::catalog {

namespace {

constexpr std::string_view kColumns =
    "SELECT s.archive, s.signer, s.sequence, s.vm_name, s.vm_uuid, s.cluster, s.host, "
    "s.created, s.kind, s.read, s.source_bytes, s.changed_bytes, s.stored_bytes, "
    "s.verdict, s.volumes, v.name, s.is_opened, s.is_whole "
    "FROM snapshot s JOIN volume v ON v.row = s.volume ";
// Two snapshots of one second: the signer's own order, then any, but always the same.
constexpr std::string_view kOrder =
    " ORDER BY s.created DESC, s.sequence DESC, s.archive";

Snapshot snapshot_of(const Query& row) {
  Snapshot snapshot;
  snapshot.id = row.id<archive::ArchiveId>(0);
  snapshot.signer = row.id<archive::SignerId>(1);
  snapshot.sequence = row.number(2);
  snapshot.vm_name = row.text(3);
  snapshot.vm_uuid = row.text(4);
  snapshot.cluster = row.text(5);
  snapshot.host = row.text(6);
  snapshot.created = base::Timestamp(row.integer(7));
  snapshot.kind = row.text(8);
  snapshot.read = row.text(9);
  snapshot.source_bytes = row.number(10);
  snapshot.changed_bytes = row.number(11);
  snapshot.stored_bytes = row.number(12);
  snapshot.verdict = row.text(13);
  snapshot.volumes = static_cast<std::uint32_t>(row.number(14));
  snapshot.last_volume = row.text(15);
  snapshot.is_opened = row.integer(16) != 0;
  const bool is_whole = row.integer(17) != 0;
  if (!is_whole) snapshot.verdict = "damaged";
  return snapshot;
}

base::Result<std::vector<Snapshot>> select(const Database& database,
                                           std::string_view condition,
                                           const std::string& value) {
  ASSIGN_OR_RETURN(Query query,
                   database.prepare(std::string(kColumns) + std::string(condition) +
                                    std::string(kOrder)));
  static_cast<void>(query.with(value));
  std::vector<Snapshot> found;
  for (;;) {
    ASSIGN_OR_RETURN(const bool has_row, query.next());
    if (!has_row) return found;
    found.push_back(snapshot_of(query));
  }
}

}  // namespace

base::Result<std::vector<Snapshot>> snapshots_with_prefix(const Database& database,
                                                          const std::string& prefix) {
  return select(database, "WHERE substr(lower(hex(s.archive)), 1, length(?1)) = ?1",
                prefix);
}

base::Result<std::vector<Snapshot>> snapshots_of(const Database& database,
                                                 const std::string& vm) {
  if (vm.empty()) return select(database, "WHERE ?1 = ''", vm);
  if (const auto uuid = base::Uuid::parse(vm)) {
    return select(database, "WHERE s.vm_uuid = ?1", uuid.value().text());
  }
  return select(database, "WHERE s.vm_name = ?1", vm);
}

}  // namespace sealift::catalog
