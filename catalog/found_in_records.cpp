#include "catalog/found_in_records.h"

#include <charconv>
#include <sstream>

#include "archive/rule.h"

namespace sealift::catalog {

namespace {

using archive::broken;
using archive::Record;

// From level 2 on `verify` opened every chunk.
bool is_chunk_level(const std::string& level) { return level == "2" || level == "3"; }

bool is_by_keeper(const archive::Repository& repository, const Record& record) {
  const auto signer = repository.trust().find(record.signer, record.created);
  return signer && signer.value()->role == archive::Role::kKeeper;
}

// "SIGNER SEQUENCE PREVIOUS DIGEST": the link that a removed snapshot leaves.
base::Status read_removed_snapshot(const std::string& value, FoundInRecords& found) {
  std::istringstream words(value);
  std::string signer, sequence, previous, digest, rest;
  words >> signer >> sequence >> previous >> digest >> rest;
  const auto signer_id = archive::SignerId::parse(signer);
  const auto previous_digest = archive::Sha256Digest::parse(previous);
  const auto own_digest = archive::Sha256Digest::parse(digest);
  ChainLink link;
  const auto [end, failure] = std::from_chars(
      sequence.data(), sequence.data() + sequence.size(), link.sequence);
  if (!signer_id || !previous_digest || !own_digest || failure != std::errc() ||
      end != sequence.data() + sequence.size() || !rest.empty()) {
    return broken("R18", "the record does not say which snapshot was removed");
  }
  link.previous = previous_digest.value();
  link.digest = own_digest.value();
  link.what = "a removed snapshot";
  found.links[signer_id.value()].push_back(std::move(link));
  return base::Done{};
}

base::Status read_keeper_record(const Record& record, FoundInRecords& found) {
  if (record.kind == "removed" || record.kind == "compacted") {
    for (std::string& volume : record.all("volume")) {
      found.removed_volumes.insert(std::move(volume));
    }
    for (const std::string& snapshot : record.all("snapshot")) {
      RETURN_IF_ERROR(read_removed_snapshot(snapshot, found));
    }
  }
  if (record.kind != "verified") return base::Done{};
  ASSIGN_OR_RETURN(const std::string level, record.field("level"));
  if (!is_chunk_level(level)) return base::Done{};
  for (const std::string& archive : record.all("archive")) {
    const auto id = archive::ArchiveId::parse(archive);
    if (!id) return broken("R18", "the record does not say which archive was verified");
    found.attested.insert(id.value());
  }
  return base::Done{};
}

}  // namespace

base::Result<FoundInRecords> read_records(const archive::Repository& repository) {
  FoundInRecords found;
  for (const Record& record : repository.records()) {
    found.links[record.signer].push_back(
        {record.sequence, record.previous, digest_of(record), "record " + record.kind});
    if (!is_by_keeper(repository, record)) continue;
    auto read = read_keeper_record(record, found);
    if (!read) {
      return std::move(read)
          .error()
          .at("sequence", std::to_string(record.sequence))
          .at("signer", record.signer.hex());
    }
  }
  return found;
}

}  // namespace sealift::catalog
