#include "cli/select_snapshot.h"

#include <algorithm>
#include <iterator>

#include "archive/volume.h"
#include "cli/snapshot_answer.h"

namespace sealift::cli {

namespace {

// What is asked for may lie in what is not believed: the volume of that id, or any.
base::Error in_what_is_disbelieved(const Session& session, const OpenRepository& open,
                                   const std::string& selector) {
  const auto is_of_that_id = [&](const base::Error& error) {
    return std::ranges::any_of(error.places(), [&](const base::Error::Place& place) {
      const auto volume = archive::parse_volume_name(place.name);
      return volume && volume->archive.hex().starts_with(selector);
    });
  };
  auto likely = std::ranges::find_if(open.skipped, is_of_that_id);
  if (likely == open.skipped.end()) likely = std::prev(open.skipped.end());
  for (auto error = open.skipped.begin(); error != open.skipped.end(); ++error) {
    if (error != likely) session.report(*error);
  }
  return base::Error(*likely)
      .at("snapshot", selector)
      .next("what is believed holds no such VM or snapshot: see `sealift list`");
}

}  // namespace

base::Result<catalog::Snapshot> select_snapshot(const Session& session,
                                                const OpenRepository& open,
                                                const std::string& selector) {
  auto found = open.catalog->find(selector);
  const bool is_id = found && found->snapshot.id.hex().starts_with(selector);
  if ((!open.skipped.empty() || !open.losses.empty()) && !is_id) {
    auto checked = check_nothing_is_disbelieved(open);
    if (!checked) {
      base::Error error = std::move(checked).error();
      if (open.losses.empty()) {
        error.next(
            "to go on without it, name a snapshot by its id, as `sealift list` shows "
            "it");
      }
      return error;
    }
    found = open.catalog->find(selector);  // What was missing has come back.
  }
  if (!found && !open.skipped.empty() &&
      found.error().code() == base::ErrorCode::kNotFound) {
    return in_what_is_disbelieved(session, open, selector);
  }
  for (const base::Error& error : open.skipped) session.report(error);
  if (!found && !open.keys && found.error().code() == base::ErrorCode::kNotFound) {
    return names_are_sealed(open).at("snapshot", selector);
  }
  if (!found) {
    return std::move(found).error().at("repository", open.repository.store().place());
  }
  for (const catalog::Snapshot& newer : found->passed_over) {
    session.warn("passed over the newer snapshot " + short_id(newer.id) + " of " +
                 newer.created.text() + ", which is " + base::printable(newer.verdict));
  }
  return std::move(found)->snapshot;
}

}  // namespace sealift::cli
