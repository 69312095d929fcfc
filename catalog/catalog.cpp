#include "catalog/catalog.h"

#include <fcntl.h>

#include <array>
#include <utility>

#include "base/file_descriptor.h"
#include "base/filesystem.h"
#include "catalog/schema.h"
#include "catalog/snapshot_rows.h"
#include "catalog/state.h"

namespace sealift::catalog {

namespace {

using base::Error;
using base::ErrorCode;

// What a catalog's file begins with, and holds as application id (schema.cpp).
constexpr std::string_view kMagic = "SQLite format 3";
constexpr std::size_t kApplicationAt = 68;
constexpr std::string_view kApplicationBytes = "SEAL";

}  // namespace

Catalog::Catalog(std::unique_ptr<State> state) : state_(std::move(state)) {}
Catalog::~Catalog() = default;

base::Result<std::unique_ptr<Catalog>> Catalog::open(
    const std::filesystem::path& path, const archive::RepositoryId& repository) {
  ASSIGN_OR_RETURN(Database database, Database::open(path));
  if (auto prepared = prepare_schema(database, repository); !prepared) {
    return std::move(prepared).error().at("catalog", path.string());
  }
  auto state = std::make_unique<State>(repository, std::move(database));
  ASSIGN_OR_RETURN(state->contains, state->database.prepare(
                                        "SELECT frame_key FROM chunk WHERE id = ?1"));
  ASSIGN_OR_RETURN(
      state->locate,
      state->database.prepare("SELECT v.name, c.place, c.stored_size, c.frame_key "
                              "FROM chunk c JOIN frame_key k ON k.row = c.frame_key "
                              "JOIN volume v ON v.row = k.volume WHERE c.id = ?1 "
                              "ORDER BY v.created DESC, v.name, c.place"));
  return std::unique_ptr<Catalog>(new Catalog(std::move(state)));
}

base::Result<std::unique_ptr<Catalog>> Catalog::open_in_memory(
    const archive::RepositoryId& repository) {
  return open({}, repository);
}

base::Status Catalog::check_is_ours(const std::filesystem::path& path) {
  const base::FileDescriptor file(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  std::array<char, kApplicationAt + kApplicationBytes.size()> header{};
  const ssize_t count =
      file ? ::pread(file.get(), header.data(), header.size(), 0) : -1;
  if (count < 0) {
    return base::system_error(errno, "cannot read the catalog")
        .at("catalog", path.string());
  }
  const std::string_view text(header.data(), header.size());
  if (text.starts_with(kMagic) && text.ends_with(kApplicationBytes)) {
    return base::Done{};
  }
  return Error(ErrorCode::kRefused, "the file does not look like a catalog")
      .at("catalog", path.string())
      .next(
          "name the catalog with --catalog FILE, or if it is one remove it by hand; "
          "this file is untouched");
}

base::Result<std::vector<Snapshot>> Catalog::list(const std::string& vm) const {
  return snapshots_of(state_->database, vm);
}

base::Result<keyvault::ChainHead> Catalog::head(const archive::SignerId& signer) const {
  ASSIGN_OR_RETURN(Query query, state_->database.prepare("SELECT sequence, digest FROM "
                                                         "head WHERE signer = ?1"));
  ASSIGN_OR_RETURN(const bool has_row, query.with(signer).next());
  if (!has_row) return keyvault::ChainHead{};
  return keyvault::ChainHead{query.number(0), query.id<archive::Sha256Digest>(1)};
}

base::Result<std::uint64_t> Catalog::began_at(const archive::SignerId& signer) const {
  ASSIGN_OR_RETURN(Query query, state_->database.prepare("SELECT began_at FROM head "
                                                         "WHERE signer = ?1"));
  ASSIGN_OR_RETURN(const bool has_row, query.with(signer).next());
  return has_row ? query.number(0) : 0;
}

base::Result<bool> Catalog::contains(const archive::ChunkId& id) const {
  const std::lock_guard lock(state_->mutex);
  static_cast<void>(state_->contains.with(id));
  bool is_counted = false;
  for (;;) {
    ASSIGN_OR_RETURN(const bool has_row, state_->contains.next());
    if (!has_row || is_counted) break;
    is_counted = state_->counted_keys.contains(state_->contains.integer(0));
  }
  static_cast<void>(state_->contains.with());  // Ends the read.
  return is_counted;
}

base::Result<std::vector<archive::ChunkLocation>> Catalog::locate(
    const archive::ChunkId& id) const {
  const std::lock_guard lock(state_->mutex);
  static_cast<void>(state_->locate.with(id));
  std::vector<archive::ChunkLocation> counted;
  std::vector<archive::ChunkLocation> others;
  for (;;) {
    ASSIGN_OR_RETURN(const bool has_row, state_->locate.next());
    if (!has_row) break;
    archive::ChunkLocation location;
    location.volume = state_->locate.text(0);
    if (state_->lost_volumes.contains(location.volume)) continue;
    location.offset = state_->locate.number(1);
    location.stored_size = static_cast<std::uint32_t>(state_->locate.number(2));
    auto& list =
        state_->counted_keys.contains(state_->locate.integer(3)) ? counted : others;
    list.push_back(std::move(location));
  }
  static_cast<void>(state_->locate.with());
  std::move(others.begin(), others.end(), std::back_inserter(counted));
  return counted;
}

base::Result<bool> Catalog::holds(const std::string& volume) const {
  const std::lock_guard lock(state_->mutex);
  if (state_->lost_volumes.contains(volume)) return false;
  ASSIGN_OR_RETURN(Query query,
                   state_->database.prepare("SELECT 1 FROM volume WHERE name = ?1"));
  return query.with(volume).next();
}

base::Result<std::optional<std::string>> Catalog::lost_volume_of(
    const archive::ChunkId& id) const {
  const std::lock_guard lock(state_->mutex);
  static_cast<void>(state_->locate.with(id));
  ASSIGN_OR_RETURN(const bool has_row, state_->locate.next());
  std::optional<std::string> found;
  if (has_row) found = state_->locate.text(0);
  static_cast<void>(state_->locate.with());
  return found;
}

base::Result<Totals> Catalog::totals() const {
  ASSIGN_OR_RETURN(
      Query query,
      state_->database.prepare(
          "SELECT (SELECT count(*) FROM snapshot), "
          "(SELECT count(DISTINCT archive) FROM volume), "
          "(SELECT count(*) FROM volume), (SELECT ifnull(sum(size), 0) FROM volume), "
          "(SELECT count(DISTINCT vm_uuid) FROM snapshot WHERE vm_uuid <> '')"));
  ASSIGN_OR_RETURN(const bool has_row, query.next());
  Totals totals;
  if (!has_row) return totals;
  totals.snapshots = query.number(0);
  totals.archives = query.number(1);
  totals.volumes = query.number(2);
  totals.bytes = query.number(3);
  totals.vms = query.number(4);
  return totals;
}

base::Status Catalog::clear() {
  const std::lock_guard lock(state_->mutex);
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::begin(state_->database, Transaction::Kind::kWrite));
  RETURN_IF_ERROR(state_->database.execute(
      "DELETE FROM chunk; DELETE FROM snapshot; DELETE FROM frame_key; "
      "DELETE FROM volume; DELETE FROM head; "
      "DELETE FROM meta WHERE name IN ('is_begun', 'is_unswept');"));
  RETURN_IF_ERROR(transaction.commit());
  state_->counted_keys.clear();
  return base::Done{};
}

}  // namespace sealift::catalog
