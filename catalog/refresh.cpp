// Bringing the catalog up to date: what is new is read, what was known is still there.
#include <algorithm>

#include "archive/rule.h"
#include "catalog/chain_check.h"
#include "catalog/counted_keys.h"
#include "catalog/found_in_records.h"
#include "catalog/listing_check.h"
#include "catalog/state.h"
#include "catalog/volume_batch.h"

namespace sealift::catalog {

namespace {

using archive::broken;
using base::Error;
using base::ErrorCode;

// Records and archives are listed one after the other while other hosts go on writing:
// what looks like a gap is read again before it is called one.
constexpr int kReadings = 3;

using Heads = std::map<archive::SignerId, keyvault::ChainHead>;

bool is_revoked(const archive::Trust& trust, const archive::SignerId& signer) {
  const archive::KnownSigner* known = trust.lookup(signer);
  return known != nullptr && known->revoked_since;
}

// Whether a volume or its snapshot was refused because its signer was revoked before it
// wrote it (rules V11 and S2): the error says since when.
bool is_held(const Error& error) {
  return std::ranges::find(error.places(), "revoked since", &Error::Place::kind) !=
         error.places().end();
}

base::Result<ReadVolume> read_object(const archive::Repository& repository,
                                     const archive::RepositoryKeys* keys,
                                     const archive::ObjectInfo& object) {
  ASSIGN_OR_RETURN(archive::Volume volume,
                   archive::open_volume(repository.store(), object, repository.id(),
                                        repository.trust()));
  auto read = read_volume(std::move(volume), keys);
  if (!read) return std::move(read).error().at("volume", object.name);
  return read;
}

// One reading of the repository into the catalog.
class Reading {
 public:
  Reading(const Database& database, const archive::Repository& repository,
          const archive::RepositoryKeys* keys, Unbelieved unbelieved)
      : database_(database),
        repository_(repository),
        keys_(keys),
        unbelieved_(unbelieved),
        losses_(unbelieved == Unbelieved::kAcceptLoss) {}

  base::Status run(const std::optional<archive::SignerId>& own,
                   const std::optional<keyvault::ChainHead>& own_head) {
    // Before the listing: a record that anybody remembers by now must show in it.
    ASSIGN_OR_RETURN(const Heads remembered, read_heads());
    RETURN_IF_ERROR(list_volumes());
    for (const Error& error : repository_.unbelieved()) {
      RETURN_IF_ERROR(disbelieve(error));
    }
    ASSIGN_OR_RETURN(found_, read_records(repository_));
    RETURN_IF_ERROR(hold_revoked());
    RETURN_IF_ERROR(check_known_volumes(database_, repository_, listing_,
                                        found_.removed_volumes, losses_));
    RETURN_IF_ERROR(sweep_chunks(database_));
    RETURN_IF_ERROR(read_new_volumes());
    RETURN_IF_ERROR(check_archives(database_, repository_, listing_,
                                   found_.removed_volumes, losses_));
    return check_chains(own, own_head, remembered);
  }

  std::size_t new_volumes() const { return new_volumes_; }
  const std::set<archive::ArchiveId>& attested() const { return found_.attested; }
  std::vector<Error>& skipped() { return skipped_; }
  Losses& losses() { return losses_; }

 private:
  base::Status disbelieve(Error error) {
    if (unbelieved_ == Unbelieved::kStop) return error;
    skipped_.push_back(std::move(error));
    return base::Done{};
  }

  base::Status lose(Error error) {
    return losses_.add(std::move(error).at("repository", repository_.store().place()));
  }

  base::Result<Heads> read_heads() const;
  base::Status list_volumes();
  base::Status hold_revoked() const;
  base::Status read_new_volumes();
  base::Status read_into(VolumeBatch& batch);
  base::Status read_new_volume(const archive::ObjectInfo& object, VolumeBatch& batch);
  base::Status write(VolumeBatch& batch);
  base::Status disbelieve_volume(Error error);
  base::Result<bool> is_known(const std::string& name, Query& query) const;
  base::Status add_snapshot_links();
  base::Status check_chains(const std::optional<archive::SignerId>& own,
                            const std::optional<keyvault::ChainHead>& own_head,
                            const Heads& remembered);
  base::Result<bool> is_begun() const;
  base::Status store_head(const archive::SignerId& signer,
                          const keyvault::ChainHead& head, bool is_first) const;

  const Database& database_;
  const archive::Repository& repository_;
  const archive::RepositoryKeys* keys_;
  Unbelieved unbelieved_;
  Listing listing_;
  FoundInRecords found_;
  std::vector<Error> skipped_;
  Losses losses_;
  std::size_t new_volumes_ = 0;
};

base::Result<Heads> Reading::read_heads() const {
  ASSIGN_OR_RETURN(Query query,
                   database_.prepare("SELECT signer, sequence, digest FROM head"));
  Heads heads;
  for (;;) {
    ASSIGN_OR_RETURN(const bool has_row, query.next());
    if (!has_row) return heads;
    heads[query.id<archive::SignerId>(0)] = {query.number(1),
                                             query.id<archive::Sha256Digest>(2)};
  }
}

base::Status Reading::list_volumes() {
  ASSIGN_OR_RETURN(const std::vector<archive::ObjectInfo> objects,
                   repository_.store().list("archives/"));
  for (const archive::ObjectInfo& object : objects) {
    if (archive::parse_volume_name(object.name)) {
      listing_.emplace(object.name, object.size);
    } else if (object.name.ends_with(".tar")) {
      RETURN_IF_ERROR(
          disbelieve(broken("V10", "a volume lies under a name that no volume has")
                         .at("volume", object.name)
                         .at("repository", repository_.store().place())
                         .next("move it out of the repository, or back to its name")));
    }
  }
  return base::Done{};
}

// What a revoked signer wrote since then does not exist for us; nothing is deleted.
base::Status Reading::hold_revoked() const {
  for (const archive::KnownSigner& known : repository_.trust().signers()) {
    if (!known.revoked_since) continue;
    std::vector<std::string> held;
    {
      ASSIGN_OR_RETURN(Query query,
                       database_.prepare("SELECT name FROM volume WHERE signer = ?1 "
                                         "AND created >= ?2"));
      static_cast<void>(query.with(known.key.id(), known.revoked_since->seconds()));
      for (;;) {
        ASSIGN_OR_RETURN(const bool has_row, query.next());
        if (!has_row) break;
        held.push_back(query.text(0));
      }
    }
    for (const std::string& name : held)
      RETURN_IF_ERROR(delete_volume(database_, name));
  }
  return base::Done{};
}

base::Result<bool> Reading::is_known(const std::string& name, Query& query) const {
  ASSIGN_OR_RETURN(const bool has_row, query.with(name).next());
  const bool is_unread =
      has_row && query.integer(0) == static_cast<int>(Opened::kNoKey);
  static_cast<void>(query.with());
  return has_row && !(is_unread && keys_ != nullptr);
}

// What was read before an error is kept: the next refresh need not read it again.
base::Status Reading::read_new_volumes() {
  ASSIGN_OR_RETURN(VolumeBatch batch, VolumeBatch::begin(database_));
  auto read = read_into(batch);
  auto written = write(batch);
  return read ? written : read;
}

base::Status Reading::read_into(VolumeBatch& batch) {
  ASSIGN_OR_RETURN(Query query,
                   database_.prepare("SELECT is_indexed FROM volume WHERE name = ?1"));
  for (const auto& [name, size] : listing_) {
    ASSIGN_OR_RETURN(const bool is_read, is_known(name, query));
    if (is_read) continue;
    auto read = read_new_volume({name, size}, batch);
    if (!read) RETURN_IF_ERROR(disbelieve_volume(std::move(read).error()));
    if (batch.is_full()) RETURN_IF_ERROR(write(batch));
  }
  return base::Done{};
}

base::Status Reading::read_new_volume(const archive::ObjectInfo& object,
                                      VolumeBatch& batch) {
  ASSIGN_OR_RETURN(ReadVolume read, read_object(repository_, keys_, object));
  RETURN_IF_ERROR(batch.add(std::move(read)));
  ++new_volumes_;
  return base::Done{};
}

base::Status Reading::write(VolumeBatch& batch) {
  ASSIGN_OR_RETURN(std::vector<Error> refused, batch.write(repository_.trust()));
  new_volumes_ -= refused.size();
  for (Error& error : refused) RETURN_IF_ERROR(disbelieve_volume(std::move(error)));
  return base::Done{};
}

base::Status Reading::disbelieve_volume(Error error) {
  const ErrorCode code = error.code();
  if (code == ErrorCode::kNotFound) return base::Done{};  // Removed since the listing.
  if (code != ErrorCode::kCorrupt && code != ErrorCode::kUnsupported) return error;
  if (is_held(error)) {
    skipped_.push_back(std::move(error));
    return base::Done{};
  }
  return disbelieve(std::move(error));
}

base::Status Reading::add_snapshot_links() {
  ASSIGN_OR_RETURN(Query query,
                   database_.prepare("SELECT signer, sequence, previous, digest, "
                                     "archive FROM snapshot"));
  for (;;) {
    ASSIGN_OR_RETURN(const bool has_row, query.next());
    if (!has_row) return base::Done{};
    found_.links[query.id<archive::SignerId>(0)].push_back(
        {query.number(1), query.id<archive::Sha256Digest>(2),
         query.id<archive::Sha256Digest>(3),
         "snapshot " + query.id<archive::ArchiveId>(4).hex()});
  }
}

base::Status Reading::check_chains(const std::optional<archive::SignerId>& own,
                                   const std::optional<keyvault::ChainHead>& own_head,
                                   const Heads& remembered) {
  RETURN_IF_ERROR(add_snapshot_links());
  Heads heads;
  for (const auto& [signer, links] : found_.links) {
    if (is_revoked(repository_.trust(), signer)) {
      heads[signer] = unbroken_head(links);
      continue;
    }
    auto head = check_chain(signer, links);
    if (head) {
      heads[signer] = head.value();
    } else {
      RETURN_IF_ERROR(lose(std::move(head).error()));
    }
  }
  // What is held of a revoked signer does not show, whoever remembers it.
  const auto need_not_be_there = [&](const archive::SignerId& signer) {
    const bool is_said = found_.links.contains(signer) && !heads.contains(signer);
    return is_said || is_revoked(repository_.trust(), signer);
  };
  for (const auto& [signer, head] : remembered) {
    if (need_not_be_there(signer)) continue;
    auto checked = check_head(signer, head, found_.links[signer], "this catalog");
    if (!checked) RETURN_IF_ERROR(lose(std::move(checked).error()));
  }
  if (own && own_head && !need_not_be_there(*own)) {
    auto checked =
        check_head(*own, *own_head, found_.links[*own], "this host's key vault");
    if (!checked) RETURN_IF_ERROR(lose(std::move(checked).error()));
  }
  // Nothing is learnt from a repository that lacks something: the next command stops.
  if (!losses_.is_empty()) return base::Done{};
  ASSIGN_OR_RETURN(const bool was_begun, is_begun());
  for (const auto& [signer, head] : heads) {
    const auto known = remembered.find(signer);
    if (known != remembered.end() && known->second.sequence >= head.sequence) continue;
    RETURN_IF_ERROR(store_head(signer, head, !was_begun));
  }
  if (was_begun) return base::Done{};
  return database_.execute("INSERT OR IGNORE INTO meta VALUES ('is_begun', '1')");
}

// Whether this catalog was read into before.
base::Result<bool> Reading::is_begun() const {
  ASSIGN_OR_RETURN(
      const std::int64_t count,
      database_.integer("SELECT count(*) FROM meta WHERE name = 'is_begun'"));
  return count > 0;
}

base::Status Reading::store_head(const archive::SignerId& signer,
                                 const keyvault::ChainHead& head, bool is_first) const {
  if (head.sequence == 0) return base::Done{};
  // Another process may have seen more by now.
  ASSIGN_OR_RETURN(Query query,
                   database_.prepare("INSERT INTO head VALUES (?1, ?2, ?3, ?4) "
                                     "ON CONFLICT(signer) DO UPDATE SET "
                                     "sequence = excluded.sequence, "
                                     "digest = excluded.digest "
                                     "WHERE excluded.sequence > head.sequence"));
  return query
      .with(signer, head.sequence, head.digest,
            is_first ? head.sequence : std::uint64_t{0})
      .run();
}

}  // namespace

base::Result<RefreshReport> Catalog::refresh(
    const archive::Repository& repository, const archive::RepositoryKeys* keys,
    const std::optional<archive::SignerId>& own,
    const std::optional<keyvault::ChainHead>& own_head, Unbelieved unbelieved) {
  if (repository.id() != state_->repository) {
    return Error(ErrorCode::kRefused, "the catalog belongs to another repository")
        .at("repository of the catalog", state_->repository.hex())
        .at("repository", repository.id().hex());
  }
  archive::Repository current = repository;
  RefreshReport report;
  for (int readings = 1;; ++readings) {
    Reading reading(state_->database, current, keys, unbelieved);
    auto done = reading.run(own, own_head);
    report.new_volumes += reading.new_volumes();
    const bool is_last = readings == kReadings;
    if (!done && (is_last || done.error().code() != ErrorCode::kCorrupt)) {
      return std::move(done).error();
    }
    // Who was unknown, or what was missing, may be explained by records written since.
    if (!done || (!reading.skipped().empty() && readings == 1) ||
        (!reading.losses().is_empty() && !is_last)) {
      RETURN_IF_ERROR(current.refresh());
      continue;
    }
    report.skipped = std::move(reading.skipped());
    report.losses = reading.losses().take();
    ASSIGN_OR_RETURN(auto counted, find_counted_keys(state_->database, current.trust(),
                                                     own, reading.attested()));
    const std::lock_guard lock(state_->mutex);
    state_->lost_volumes = reading.losses().volumes();
    state_->counted_keys = std::move(counted);
    state_->attested = reading.attested();
    return report;
  }
}

base::Status Catalog::add_own_volume(const archive::Repository& repository,
                                     const archive::RepositoryKeys& keys,
                                     const archive::SignerId& own,
                                     const archive::ObjectInfo& volume) {
  ASSIGN_OR_RETURN(ReadVolume read, read_object(repository, &keys, volume));
  const std::lock_guard lock(state_->mutex);
  const Hurry hurry(state_->database);
  ASSIGN_OR_RETURN(VolumeBatch batch, VolumeBatch::begin(state_->database));
  RETURN_IF_ERROR(batch.add(std::move(read)));
  ASSIGN_OR_RETURN(std::vector<Error> refused, batch.write(repository.trust()));
  if (!refused.empty()) return std::move(refused.front());
  ASSIGN_OR_RETURN(
      state_->counted_keys,
      find_counted_keys(state_->database, repository.trust(), own, state_->attested));
  return base::Done{};
}

}  // namespace sealift::catalog
