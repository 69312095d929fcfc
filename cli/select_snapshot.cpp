#include "cli/select_snapshot.h"

#include "cli/snapshot_answer.h"

namespace sealift::cli {

base::Result<catalog::Snapshot> select_snapshot(const Session& session,
                                                const OpenRepository& open,
                                                const std::string& selector) {
  auto found = open.catalog->find(selector);
  const bool is_id = found && found->snapshot.id.hex().starts_with(selector);
  if (!open.skipped.empty() && !is_id) {
    auto checked = check_nothing_is_disbelieved(open);
    if (!checked) {
      return std::move(checked).error().next(
          "to go on without it, name a snapshot by its id, as `sealift list` shows it");
    }
  }
  for (const base::Error& error : open.skipped) session.report(error);
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
